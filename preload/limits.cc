// SPDX-License-Identifier: Apache-2.0
// The limit of the address space, as the program would have it without us. On x86-64 the names with
// and without 64 mean the same.
#include <sys/resource.h>

#include <cerrno>

#include "preload/hook.h"
#include "recorder/runtime/address_limit.h"
#include "recorder/runtime/syscalls.h"

namespace spyglass::hooks {
namespace {

rlimit raised(const rlimit& limit) {
  const runtime::AddressLimit kernel = runtime::limit_for_kernel({limit.rlim_cur, limit.rlim_max});
  return {kernel.soft, kernel.hard};
}

void lower(rlimit* limit) {
  const runtime::AddressLimit own = runtime::limit_for_program({limit->rlim_cur, limit->rlim_max});
  *limit = {own.soft, own.hard};
}

template <typename Call>
int set_limit(unsigned resource, const rlimit* wanted, Call call) {
  if (resource != RLIMIT_AS || wanted == nullptr) {
    return call(wanted);
  }
  rlimit limit = raised(*wanted);
  int result = call(&limit);
  if (result != 0 && errno == EPERM) {
    limit.rlim_max = wanted->rlim_max;  // that one may not be raised
    limit.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
    result = call(&limit);
  }
  if (result == 0) {
    runtime::note_limit(limit.rlim_cur != wanted->rlim_cur);
  }
  return result;
}

template <typename Call>
int get_limit(unsigned resource, rlimit* limit, Call call) {
  const int result = call(limit);
  if (result == 0 && resource == RLIMIT_AS) {
    lower(limit);
  }
  return result;
}

template <typename Call>
int exchange_limit(pid_t pid, unsigned resource, const rlimit* wanted, rlimit* before, Call call) {
  if (pid != 0 && static_cast<long>(pid) != spyglass::runtime::kernel(SYS_getpid)) {
    return call(wanted);
  }
  const int result = set_limit(resource, wanted, call);
  if (result == 0 && resource == RLIMIT_AS && before != nullptr) {
    lower(before);
  }
  return result;
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;

extern "C" {

int hook_setrlimit(unsigned resource, const rlimit* limit) {
  real::make_ready();
  return hooks::set_limit(resource, limit,
                          [&](const rlimit* one) { return real::setrlimit(resource, one); });
}

int hook_setrlimit64(unsigned resource, const rlimit* limit) {
  real::make_ready();
  return hooks::set_limit(resource, limit,
                          [&](const rlimit* one) { return real::setrlimit64(resource, one); });
}

int hook_getrlimit(unsigned resource, rlimit* limit) {
  real::make_ready();
  return hooks::get_limit(resource, limit,
                          [&](rlimit* one) { return real::getrlimit(resource, one); });
}

int hook_getrlimit64(unsigned resource, rlimit* limit) {
  real::make_ready();
  return hooks::get_limit(resource, limit,
                          [&](rlimit* one) { return real::getrlimit64(resource, one); });
}

int hook_prlimit(pid_t pid, unsigned resource, const rlimit* wanted, rlimit* before) {
  real::make_ready();
  return hooks::exchange_limit(pid, resource, wanted, before, [&](const rlimit* one) {
    return real::prlimit(pid, resource, one, before);
  });
}

int hook_prlimit64(pid_t pid, unsigned resource, const rlimit* wanted, rlimit* before) {
  real::make_ready();
  return hooks::exchange_limit(pid, resource, wanted, before, [&](const rlimit* one) {
    return real::prlimit64(pid, resource, one, before);
  });
}

}  // extern "C"
