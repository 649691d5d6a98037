// SPDX-License-Identifier: Apache-2.0
// identity.h - which functions of two recordings are the same one.
//
// A function is its full name in its module. The module is its file name without a path or version
// ("libz.so" of "/usr/lib/libz.so.1.2.13"), or just "the program" for the executable that each
// recording began with, so neither build folders nor renamed programs show. Where a module has
// several functions of one name, the source file's name tells them apart. Addresses outside any
// file are one function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyzer/model/profile.h"

namespace spyglass {

struct Identities {
  std::vector<std::uint32_t> of_base;  // by function index: identity
  std::vector<std::uint32_t> of_new;
  std::uint32_t count = 0;
};

Identities identify_functions(const Profile& base, const Profile& now);

}  // namespace spyglass
