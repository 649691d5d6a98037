// SPDX-License-Identifier: Apache-2.0
// Functions of C between others', built twice: such as exceptions can pass, and such as they can't.
long VISIT(long depth, void (*visit)(void));
long VISIT(long depth, void (*visit)(void)) {
  if (depth <= 0) {
    visit();
    return 1;
  }
  return VISIT(depth - 1, visit) + depth;
}
