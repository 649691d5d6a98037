// SPDX-License-Identifier: Apache-2.0
// descriptors.h - what a file descriptor stands for: found once, at its first use.
//
// A private table by number. Hooks of whatever makes or closes a descriptor say so, and the next
// use asks the kernel again (two system calls at most). Descriptors past the table are asked about
// never, and have no object.
//
// A thread may have a table of its own, where the same number is another file. Its descriptors have
// no object, unless it is the main thread.
//
// Names are made to be the same from run to run: a pipe is "pipe" without its number, the far end
// of an accepted connection goes without its port.
//
//   Where    target side; async-signal-safe, lock-free.
//   Threads  any. A descriptor that is closed while another thread uses it may be taken for its
//            successor, as in the program itself.
#pragma once

#include <cstdint>

namespace spyglass::runtime {

// The object behind `fd`; 0: unknown. `pc`: where it is met now.
std::uint32_t descriptor_object(int fd, std::uint64_t pc);

// The same without a question: 0 if it was not used yet.
std::uint32_t known_descriptor(int fd);

// The file that openat() of `path` gave as `fd`, or did not (negative). Reads the string: it must
// be readable. By the path as the program has it, without a system call, where that is enough.
std::uint32_t opened_file(int folder, const char* path, int fd, std::uint64_t pc);

// Where `fd` is being connected to.
std::uint32_t destination_object(int fd, const void* address, std::uint32_t bytes,
                                 std::uint64_t pc);

// `fd` stands for `object` from now on; 0: for what the kernel says at its next use.
void set_descriptor(int fd, std::uint32_t object);

// Descriptors first..last were closed.
void forget_descriptors(unsigned first, unsigned last);

// The thread shares its descriptors with no other from now on.
void note_own_descriptors();

// `fd` came from accept().
void note_accepted(int fd);

}  // namespace spyglass::runtime
