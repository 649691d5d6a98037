// SPDX-License-Identifier: Apache-2.0
// Loses a list: its head directly, all others through it. Part of it had been given back.
#include "leaks.h"

struct Item {
  struct Item* next;
  char* text;
};

CALLED static char* make_text(long number) {
  char* text = malloc(20 + (size_t)number % 10);
  memset(text, 'x', 20);
  return text;
}

CALLED static struct Item* make_item(struct Item* next, long number) {
  struct Item* item = calloc(1, sizeof *item);
  item->next = next;
  item->text = make_text(number);
  return item;
}

CALLED static struct Item* drop(struct Item* item) {
  struct Item* next = item->next;
  free(item->text);
  free(item);
  return next;
}

CALLED static void lose_list(long count) {
  struct Item* list = NULL;
  for (long i = 0; i < count; ++i) list = make_item(list, i);
  for (long i = 0; i < count / 4; ++i) list = drop(list);
  g_sink = (uint64_t)list % 2;
}

int main(int argc, char** argv) {
  lose_list(argument_or(argc, argv, 1, 200));
  forget_stack();
  return 0;
}
