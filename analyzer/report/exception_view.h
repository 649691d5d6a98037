// SPDX-License-Identifier: Apache-2.0
// exception_view.h - exceptions by type, where they were thrown and where caught.
//
//   Where    report and diff.
#pragma once

#include <vector>

#include "analyzer/model/profile.h"

namespace spyglass {

// Most frequent first. Throws that were counted, but whose event is lost, have a flow of their own
// whose catch_node is kUnknown. Calls of std::terminate() are among them, without a
// type, unless an exception that escaped tells of them already.
std::vector<ExceptionFlow> exception_flows(const Profile& profile);

// std::terminate() was called, not for an exception that is known.
bool is_termination(const Profile& profile, const ExceptionFlow& flow);

}  // namespace spyglass
