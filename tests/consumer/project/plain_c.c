// SPDX-License-Identifier: Apache-2.0
int plain_c_function(int x) { return x - 1; }
