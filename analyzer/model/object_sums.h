// SPDX-License-Identifier: Apache-2.0
// object_sums.h - what was done to each object, and what events add to it: who held a lock, which
// order locks were taken in, how exceptions went, fatal signals.
#pragma once

#include "analyzer/model/profile.h"
#include "analyzer/model/recording_pass.h"
#include "analyzer/model/session_clock.h"
#include "analyzer/model/tree_layout.h"
#include "analyzer/model/tree_sums.h"

namespace spyglass::model {

// Fills Profile::objects, ::uses, ::contention, ::unfinished_waits, ::lock_orders, ::exceptions and
// ::fatal_signals. Takes the counts out of layout.uses.
void write_objects(RecordingPass& pass, Layout& layout, const SessionClock& clock,
                   const SumOptions& options, Profile& profile);

}  // namespace spyglass::model
