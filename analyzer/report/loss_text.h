// SPDX-License-Identifier: Apache-2.0
// loss_text.h - names of losses and of how processes ended.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/model/profile.h"

namespace spyglass {

// As in JSON: "spans", "calls", "repaired_frames" ...
std::string_view loss_kind_name(format::LossKind kind);
// Data is missing, rather than moved or corrected.
bool is_real_loss(format::LossKind kind);
// "1,234 spans not kept (ring full)".
std::string describe_loss(const format::LossRecord& loss);

// One record for each kind and reason, threads added up; real losses first.
std::vector<format::LossRecord> merged_losses(const Profile& profile);

// "exit 0", "killed by SIGSEGV", "running at the end" ...
std::string describe_exit(const format::ProcessRecord& process);
// "SIGKILL"; "signal 77" for unknown ones.
std::string signal_name(std::uint32_t signal);

}  // namespace spyglass
