// SPDX-License-Identifier: Apache-2.0
// deadlock_view.h - threads that waited for each other's locks when they ended.
//
//   Where    report.
//   Memory   proportional to Profile::unfinished_waits.
#pragma once

#include <vector>

#include "analyzer/model/profile.h"

namespace spyglass {

// Waits each for a lock that the thread of the next one had, the last for one of the first's; a
// thread that waits for a lock of its own is a deadlock by itself. Only where all of them lasted
// long: a lock may have gone from hand to hand since the wait for it began, but not for ever.
std::vector<std::vector<const UnfinishedWait*>> deadlocks(const Profile& profile);

}  // namespace spyglass
