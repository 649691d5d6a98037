// SPDX-License-Identifier: Apache-2.0
// no_calls: built without hooks, so there is nothing to record, and that has to be said.
#include <stdio.h>

int main(void) {
  printf("no calls\n");
  return 4;
}
