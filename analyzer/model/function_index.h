// SPDX-License-Identifier: Apache-2.0
// function_index.h - sites to functions: one Function for all sites of one identity, in an order
// that depends on nothing but names.
//
// Two sites are one function when module (by build-id or path), symbol, file and line are equal.
// Without file and line, equal symbols can be two static functions, so the offset has to be equal
// too.
//
//   Errors   a local file with another build-id than the recorded one gives no names.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "analyzer/model/id_index.h"
#include "analyzer/model/profile.h"
#include "format/records.h"

namespace spyglass::model {

inline constexpr const char* kOverflowName = "[past the tree's bound]";
inline constexpr const char* kDamagedName = "[damaged call path]";

class FunctionIndex {
 public:
  void add(const format::ModuleInfo& module) { modules_[module.id] = module; }
  void add(const format::SiteRecord& site);
  void add(const format::SymbolRecord& symbol);

  // All records are in. Names what has no name yet from local files, if asked to.
  void finish(bool resolve_missing);

  // After finish(). Index of the function of a site id; of the damaged one if there is no such
  // site.
  std::uint32_t function_of(std::uint32_t site) const;
  std::uint32_t damaged() const { return damaged_; }
  std::vector<Function>& functions() { return functions_; }
  std::vector<format::ModuleInfo> modules() const;

 private:
  struct Site {
    format::SiteRecord record;
    format::FrameInfo frame;
    bool known = false;
    bool named = false;
    std::uint32_t function = 0;
  };
  Site& site(std::uint32_t id);
  void resolve_missing_names();
  std::map<std::uint32_t, std::uint32_t> canonical_modules() const;
  Function describe(const Site& site) const;
  void sort_functions();

  IdIndex index_;
  std::vector<Site> sites_;
  std::map<std::uint32_t, format::ModuleInfo> modules_;
  std::vector<Function> functions_;
  std::uint32_t damaged_ = 0;
};

}  // namespace spyglass::model
