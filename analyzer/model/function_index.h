// SPDX-License-Identifier: Apache-2.0
// function_index.h - sites to functions: one Function for all sites of one identity, in an order
// that depends on nothing but names.
//
// A site can also be an instruction, then it is a chain: a function and those inlined into it
// there. Two sites are one function when module (by build-id or path), symbol, file and line are
// equal. Without file and line, equal symbols can be two static functions, so the offset has to be
// equal too. Functions that carry no name, of which only instructions are known, are one for each
// module.
//
//   Errors   a local file with another build-id than the recorded one gives no names.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "analyzer/model/id_index.h"
#include "analyzer/model/profile.h"
#include "analyzer/model/site_role.h"
#include "format/records.h"

namespace spyglass::model {

inline constexpr const char* kOverflowName = "[past the tree's bound]";
inline constexpr const char* kTruncatedName = "[stack truncated]";
inline constexpr const char* kDamagedName = "[damaged call path]";
inline constexpr const char* kRecordingName = "[recording by Spyglass]";  // CPU time that it took

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
  // The functions at a site, outermost first; never empty.
  std::span<const std::uint32_t> chain_of(std::uint32_t site) const;
  // Of the chain's function at `position`: the line of its file that runs or calls; 0: not known.
  std::uint32_t line_of(std::uint32_t site, std::size_t position) const;
  // How a frame there is shown.
  enum class Show { kAlways, kNotOutermost, kNever };
  Show show_of(std::uint32_t site) const;
  bool is_unnamed(std::uint32_t site) const;
  // What a lock's site says of it: the name of a variable, or where it was met first.
  std::string place_of(std::uint32_t site) const;
  std::uint32_t damaged() const { return damaged_; }
  std::uint32_t recording() const { return recording_; }
  std::vector<Function>& functions() { return functions_; }
  std::vector<format::ModuleInfo> modules() const;

 private:
  struct Site {
    format::SiteRecord record;
    std::vector<format::FrameInfo> frames;  // innermost first; empty: no name
    bool known = false;
    Show show = Show::kAlways;
    std::uint32_t first = 0;  // of its functions in chains_
    std::uint32_t count = 0;

    bool named() const { return !frames.empty(); }
    bool is_frame() const { return known && role_of(record).role == Role::kFrame; }
    std::uint64_t offset() const { return record.offset & ~format::kPcSite; }
  };
  Site& site(std::uint32_t id);
  void resolve_missing_names();
  std::map<std::uint32_t, std::uint32_t> canonical_modules() const;
  Function describe(const Site& site) const;
  std::uint32_t add_function(const std::string& key, Function&& function);
  void add_called(Site& site, std::uint32_t module);
  void add_frames(Site& site, std::uint32_t module);
  Show show_frame(const Site& site) const;
  // Known by its place alone: no name, or module and offset for one.
  bool is_nameless(const Site& site) const;
  const std::string& module_path(std::uint32_t module) const;
  void sort_functions();

  IdIndex index_;
  std::vector<Site> sites_;
  std::map<std::uint32_t, format::ModuleInfo> modules_;
  std::vector<Function> functions_;
  std::vector<std::uint32_t> chains_;
  std::unordered_map<std::string, std::uint32_t> known_;      // functions by identity
  std::unordered_map<std::string, std::uint32_t> by_symbol_;  // the first of that module and name
  std::uint32_t damaged_ = 0;
  std::uint32_t recording_ = 0;
};

}  // namespace spyglass::model
