// SPDX-License-Identifier: Apache-2.0
// Built twice, with another FUNCTION and another FRAME size; all instructions at the same places.
#include <unistd.h>

void FUNCTION(int fd);
void FUNCTION(int fd) {
  volatile char frame[FRAME];
  frame[0] = 'x';
  if (write(fd, (const char*)frame, 1) == 1) {
    frame[FRAME - 1] = 0;
  }
}
