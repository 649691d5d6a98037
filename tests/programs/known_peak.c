// SPDX-License-Identifier: Apache-2.0
// The heap's highest moment is known: 30 MB of 600 blocks by raise(), on top of 10 MB kept, when 5
// MB of an earlier hill are gone. Later hills are lower. Prints the peak in bytes.
#include <stdio.h>
#include <string.h>

#include "program.h"

enum { kBlocks = 600, kBytes = 50000 };

CALLED static void kept(char** blocks) {
  for (int i = 0; i < 100; ++i) blocks[i] = memset(malloc(100000), 1, 100000);
}

CALLED static void hill(int count, size_t bytes) {
  char* blocks[kBlocks];
  for (int i = 0; i < count; ++i) blocks[i] = memset(malloc(bytes), i, bytes);
  for (int i = 0; i < count; ++i) {
    g_sink += (unsigned char)blocks[i][7];
    free(blocks[i]);
  }
}

CALLED static void early_hill(void) { hill(50, 100000); }
CALLED static void highest_hill(void) { hill(kBlocks, kBytes); }
CALLED static void later_hill(void) {
  for (int i = 0; i < 5; ++i) hill(kBlocks, kBytes * 4 / 5);
}

int main(void) {
  static char text[100];
  char* blocks[100];
  setvbuf(stdout, NULL, _IONBF, 0);
  early_hill();
  kept(blocks);
  highest_hill();
  later_hill();
  for (int i = 0; i < 100; ++i) free(blocks[i]);
  const int length = snprintf(text, sizeof text, "%d\n", 100 * 100000 + kBlocks * kBytes);
  return fwrite(text, (size_t)length, 1, stdout) == 1 ? 0 : 1;
}
