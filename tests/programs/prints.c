// SPDX-License-Identifier: Apache-2.0
// prints FOLDER: printf and its like, to files of their own; the last by four threads at once.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

// What <stdio.h> calls with _FORTIFY_SOURCE.
int __printf_chk(int check, const char* format, ...);
int __fprintf_chk(FILE* stream, int check, const char* format, ...);
int __dprintf_chk(int fd, int check, const char* format, ...);

static void print_by_list(FILE* stream, const char* format, ...) {
  va_list values;
  va_start(values, format);
  vfprintf(stream, format, values);
  va_end(values);
}

// Values of all kinds, more than registers hold.
#define KINDS "%d %.3f %s %Lf %ld %g %c %e %d %d %d %f %f %f %f %f %f %f %a %zu\n"
#define VALUES(i)                                                                               \
  i, i * 1.5, "text", (long double)i * 0.25L, -1L - i, i / 3.0, 'x', 1e300 * i, 1, 2, 3, i + .1, \
      i + .2, i + .3, i + .4, i + .5, i + .6, i + .7, i * 0.1, (size_t)-1

static void print_kinds(void) {
  FILE* file = fopen("kinds", "w");
  for (int i = 0; i < 500; ++i) {
    fprintf(file, KINDS, VALUES(i));
    __fprintf_chk(file, 1, KINDS, VALUES(i));
    print_by_list(file, KINDS, VALUES(i));
    fflush(file);
    dprintf(fileno(file), KINDS, VALUES(i));
    __dprintf_chk(fileno(file), 1, KINDS, VALUES(i));
    printf(KINDS, VALUES(i));
    __printf_chk(1, KINDS, VALUES(i));
  }
  fclose(file);
}

static void* print_lines(void* file) {
  for (int i = 0; i < 20000; ++i) fprintf(file, "line %06d of somebody\n", i);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc < 2 || chdir(argv[1]) != 0) return 1;
  char* text = malloc(20001);
  memset(text, 'x', 20000);
  text[20000] = 0;

  FILE* file = fopen("plain", "w");
  for (int i = 0; i < 5000; ++i) fprintf(file, "%5d and %s\n", i, "some");
  for (int i = 0; i < 5000; ++i) __fprintf_chk(file, 1, "%5d and %s\n", i, "some");
  for (int i = 0; i < 5000; ++i) print_by_list(file, "%5d and %s\n", i, "some");
  fclose(file);

  file = fopen("long", "w");
  for (int i = 0; i < 10; ++i) fprintf(file, "%s%d\n", text, i);
  fclose(file);

  if (freopen("standard", "w", stdout) == NULL) return 1;
  for (int i = 0; i < 5000; ++i) printf("%5d\n", i);
  for (int i = 0; i < 5000; ++i) __printf_chk(1, "%5d\n", i);
  print_kinds();
  fflush(stdout);

  file = fopen("unbuffered", "w");
  setvbuf(file, NULL, _IONBF, 0);
  for (int i = 0; i < 10; ++i) fprintf(file, "%d\n", i);
  for (int i = 0; i < 10; ++i) dprintf(fileno(file), "%d\n", i);
  for (int i = 0; i < 10; ++i) __dprintf_chk(fileno(file), 1, "%d\n", i);
  fclose(file);

  file = fopen("shared", "w");
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, print_lines, file);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  fclose(file);
  return 0;
}
