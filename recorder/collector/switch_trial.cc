// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/switch_trial.h"

#include <ctime>

#include "format/switch_sign.h"

namespace spyglass::collector {

// A kernel may look at the pointer only where it interrupted code, not where it comes back from a
// system call: waits would then not be seen.
format::SwitchSign best_switch_sign() {
  constexpr timespec kMoment = {0, 20'000};
  volatile std::uint64_t* place = format::switch_sign_place();
  if (place == nullptr || *place != 0) {
    return format::SwitchSign::kPerf;
  }
  *place = format::switch_sign();
  ::nanosleep(&kMoment, nullptr);
  const bool taken = *place == 0;
  *place = 0;
  return taken ? format::SwitchSign::kRseq : format::SwitchSign::kPerf;
}

}  // namespace spyglass::collector
