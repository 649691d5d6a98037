// SPDX-License-Identifier: Apache-2.0
int quiet_function(int x) { return x * 2; }
