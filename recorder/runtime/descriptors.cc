// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/descriptors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstddef>
#include <cstring>

#include "recorder/runtime/lane.h"
#include "recorder/runtime/objects.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {
namespace {

using format::ObjectKind;

constexpr unsigned kMostDescriptors = 65536;
// No references: the heap is not that large. Anything else but 0 is one.
constexpr std::uint32_t kAccepted = ~std::uint32_t{0};
constexpr std::uint32_t kNothingBehind = kAccepted - 1;  // asked, without an answer

bool is_reference(std::uint32_t known) { return known != 0 && known < kNothingBehind; }

constinit std::atomic<std::uint32_t> g_descriptors[kMostDescriptors] = {};
constinit std::atomic<std::uint32_t> g_highest = 0;

// Text that is cut at its end when it gets too long.
struct Text {
  char bytes[256];
  std::uint32_t length = 0;

  void add(char c) {
    if (length < sizeof(bytes)) {
      bytes[length++] = c;
    }
  }
  void add(const char* text) {
    for (; *text != 0; ++text) {
      add(*text);
    }
  }
  void add_number(std::uint32_t value, std::uint32_t base = 10) {
    char digits[10];
    unsigned count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (count != 0) {
      add(digits[--count]);
    }
  }
};

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
  sockaddr_un local;
};

std::uint16_t host_order(std::uint16_t port) {
  return static_cast<std::uint16_t>(port << 8U | port >> 8U);
}

std::uint16_t port_of(const Address& address) {
  return host_order(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

void add_v4(Text& text, const unsigned char* bytes) {
  for (unsigned i = 0; i < 4; ++i) {
    if (i != 0) {
      text.add('.');
    }
    text.add_number(bytes[i]);
  }
}

void add_host(Text& text, const Address& address) {
  if (address.any.sa_family == AF_INET) {
    return add_v4(text, reinterpret_cast<const unsigned char*>(&address.v4.sin_addr));
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(&address.v6.sin6_addr);
  bool is_mapped = bytes[10] == 0xff && bytes[11] == 0xff;
  for (unsigned i = 0; i < 10; ++i) {
    is_mapped = is_mapped && bytes[i] == 0;
  }
  if (is_mapped) {
    return add_v4(text, bytes + 12);
  }
  text.add('[');
  bool in_gap = false;
  bool had_gap = false;
  for (unsigned i = 0; i < 16; i += 2) {
    const std::uint32_t group = std::uint32_t{bytes[i]} << 8U | bytes[i + 1];
    if (group == 0 && (in_gap || !had_gap)) {
      text.add(!in_gap ? (i == 0 ? "::" : ":") : "");
      in_gap = had_gap = true;
      continue;
    }
    in_gap = false;
    text.add_number(group, 16);
    text.add(i != 14 ? ":" : "");
  }
  text.add(']');
}

void add_host_and_port(Text& text, const Address& address) {
  add_host(text, address);
  text.add(':');
  text.add_number(port_of(address));
}

// The kernel's answer to getsockname or getpeername. Returns how many bytes of it; 0: none.
std::uint32_t ask_address(long number, int fd, Address& address) {
  std::uint32_t bytes = sizeof(address);
  address = {};
  return kernel(number, fd, &address, &bytes) == 0 ? bytes : 0;
}

void add_local(Text& text, const Address& address, std::uint32_t bytes) {
  constexpr std::uint32_t kPathAt = offsetof(sockaddr_un, sun_path);
  text.add("unix");
  for (std::uint32_t i = 0; kPathAt + i < bytes && i < sizeof(address.local.sun_path); ++i) {
    const char c = address.local.sun_path[i];
    if (c == 0 && i != 0) {
      break;
    }
    text.add(i == 0 ? " " : "");
    text.add(c == 0 ? '@' : c);
  }
}

void add_kind(Text& text, int fd) {
  int kind = 0;
  std::uint32_t bytes = sizeof(kind);
  kernel(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &kind, &bytes);
  text.add(kind == SOCK_STREAM ? "tcp " : kind == SOCK_DGRAM ? "udp " : "ip ");
}

bool is_internet(const Address& address) {
  return address.any.sa_family == AF_INET || address.any.sa_family == AF_INET6;
}

void name_socket(Text& text, int fd, bool accepted) {
  constexpr std::uint16_t kFirstEphemeral = 32768;  // ip_local_port_range
  Address own = {};
  Address peer = {};
  const std::uint32_t own_bytes = ask_address(SYS_getsockname, fd, own);
  const std::uint32_t peer_bytes = ask_address(SYS_getpeername, fd, peer);
  if (own_bytes != 0 && own.any.sa_family == AF_UNIX) {
    const bool peer_has_path = peer_bytes > offsetof(sockaddr_un, sun_path);
    return peer_has_path ? add_local(text, peer, peer_bytes) : add_local(text, own, own_bytes);
  }
  if (own_bytes == 0 || !is_internet(own)) {
    return text.add(own.any.sa_family == AF_NETLINK ? "netlink" : "socket");
  }
  add_kind(text, fd);
  if (peer_bytes == 0) {
    return add_host_and_port(text, own);
  }
  if (accepted || (port_of(own) < kFirstEphemeral && port_of(peer) >= kFirstEphemeral)) {
    add_host_and_port(text, own);
    text.add(" from ");
    return add_host(text, peer);
  }
  add_host_and_port(text, peer);
}

bool begins_with(const char* text, const char* begin) {
  while (*begin != 0) {
    if (*text++ != *begin++) {
      return false;
    }
  }
  return true;
}

// Of what /proc names like this: "pipe:[12]", "anon_inode:[eventfd]", "/memfd:name (deleted)".
std::uint32_t object_of_link(char* link, std::uint32_t bytes, int fd, bool accepted,
                             std::uint64_t pc) {
  Text text;
  link[bytes] = 0;
  if (begins_with(link, "socket:")) {
    name_socket(text, fd, accepted);
    return find_object(ObjectKind::kSocket, 0, text.bytes, text.length, pc);
  }
  if (begins_with(link, "pipe:")) {
    return find_object(ObjectKind::kPipe, 0, "pipe", 4, pc);
  }
  if (begins_with(link, "anon_inode:")) {
    for (const char* c = link + sizeof("anon_inode:") - 1; *c != 0; ++c) {
      if (*c != '[' && *c != ']') {
        text.add(*c);
      }
    }
    return find_object(ObjectKind::kDescriptor, 0, text.bytes, text.length, pc);
  }
  if (begins_with(link, "/dev/pts/") || begins_with(link, "/dev/tty")) {
    return find_object(ObjectKind::kTerminal, 0, link, bytes, pc);
  }
  constexpr const char kDeleted[] = " (deleted)";
  constexpr std::uint32_t kDeletedBytes = sizeof(kDeleted) - 1;
  if (bytes > kDeletedBytes && begins_with(link + bytes - kDeletedBytes, kDeleted)) {
    link[bytes - kDeletedBytes] = 0;
  }
  return find_file(link, pc);
}

std::uint32_t ask_kernel(int fd, bool accepted, std::uint64_t pc) {
  Text path;
  path.add("/proc/self/fd/");
  path.add_number(static_cast<std::uint32_t>(fd));
  path.add('\0');
  char link[1024];
  const long bytes = kernel(SYS_readlinkat, AT_FDCWD, path.bytes, link, sizeof(link) - 1);
  if (bytes > 0) {
    return object_of_link(link, static_cast<std::uint32_t>(bytes), fd, accepted, pc);
  }
  Text text;  // no /proc here: sockets still say who they are
  Address own = {};
  if (ask_address(SYS_getsockname, fd, own) == 0) {
    return 0;
  }
  name_socket(text, fd, accepted);
  return find_object(ObjectKind::kSocket, 0, text.bytes, text.length, pc);
}

bool is_tracked(int fd) {
  return fd >= 0 && static_cast<unsigned>(fd) < kMostDescriptors && t_thread.own_descriptors == 0;
}

}  // namespace

std::uint32_t descriptor_object(int fd, std::uint64_t pc) {
  if (!is_tracked(fd)) {
    return 0;
  }
  std::atomic<std::uint32_t>& known = g_descriptors[fd];
  std::uint32_t seen = known.load(std::memory_order_relaxed);
  if (is_reference(seen)) {
    return seen;
  }
  if (seen == kNothingBehind) {
    return 0;
  }
  const std::uint32_t found = ask_kernel(fd, seen == kAccepted, pc);
  // A child of vfork has descriptors of its own, but this table is its parent's.
  if (static_cast<std::uint32_t>(kernel(SYS_getpid)) == g_session.process->pid) {
    known.compare_exchange_strong(seen, found != 0 ? found : kNothingBehind,
                                  std::memory_order_relaxed);
    std::uint32_t highest = g_highest.load(std::memory_order_relaxed);
    while (highest < static_cast<unsigned>(fd) &&
           !g_highest.compare_exchange_weak(highest, static_cast<unsigned>(fd),
                                            std::memory_order_relaxed)) {
    }
  }
  return found;
}

std::uint32_t known_descriptor(int fd) {
  const std::uint32_t known =
      is_tracked(fd) ? g_descriptors[fd].load(std::memory_order_relaxed) : 0;
  return is_reference(known) ? known : 0;
}

std::uint32_t opened_file(int folder, const char* path, int fd, std::uint64_t pc) {
  const bool tells_all = path[0] == '/' || folder == AT_FDCWD;
  const bool is_alias = begins_with(path, "/dev/std") || begins_with(path, "/dev/fd/") ||
                        begins_with(path, "/proc/self/fd/") || begins_with(path, "/dev/tty");
  if (fd >= 0 && (!tells_all || is_alias)) {
    return descriptor_object(fd, pc);
  }
  const std::uint32_t object = find_file(path, pc);
  set_descriptor(fd, object);
  return object;
}

std::uint32_t destination_object(int fd, const void* address, std::uint32_t bytes,
                                 std::uint64_t pc) {
  Address to = {};
  bytes = bytes < sizeof(to) ? bytes : std::uint32_t{sizeof(to)};
  std::memcpy(&to, address, bytes);
  Text text;
  if (bytes >= sizeof(sockaddr_in) && is_internet(to)) {
    add_kind(text, fd);
    add_host_and_port(text, to);
  } else if (bytes > sizeof(sa_family_t) && to.any.sa_family == AF_UNIX) {
    add_local(text, to, bytes);
  } else {
    return 0;
  }
  return find_object(ObjectKind::kSocket, 0, text.bytes, text.length, pc);
}

void set_descriptor(int fd, std::uint32_t object) {
  if (is_tracked(fd)) {
    g_descriptors[fd].store(object, std::memory_order_relaxed);
    if (object != 0 && g_highest.load(std::memory_order_relaxed) < static_cast<unsigned>(fd)) {
      g_highest.store(static_cast<unsigned>(fd), std::memory_order_relaxed);
    }
  }
}

void note_own_descriptors() {
  // The main thread mostly has no others, and the table stays its own.
  if (kernel(SYS_gettid) != kernel(SYS_getpid)) {
    t_thread.own_descriptors = 1;
  }
}

void note_accepted(int fd) {
  if (is_tracked(fd)) {
    g_descriptors[fd].store(kAccepted, std::memory_order_relaxed);
  }
}

void forget_descriptors(unsigned first, unsigned last) {
  if (t_thread.own_descriptors != 0) {
    return;
  }
  const unsigned highest = g_highest.load(std::memory_order_relaxed);
  for (unsigned fd = first; fd <= last && fd <= highest; ++fd) {
    g_descriptors[fd].store(0, std::memory_order_relaxed);
  }
}

}  // namespace spyglass::runtime
