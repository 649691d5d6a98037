// SPDX-License-Identifier: Apache-2.0
// node_interner.h - session-wide ids of modules, sites, objects and nodes, whichever process,
// thread and address they came from.
//
//   Where    collector.
//   Threads  one at a time.
//   Memory   grows with what is distinct in the session.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "format/records.h"

namespace spyglass::collector {

class SgzWriter;

class NodeInterner {
 public:
  NodeInterner();

  std::uint32_t module(const std::string& path, std::span<const std::uint8_t> build_id);
  std::uint32_t site(std::uint32_t module, std::uint64_t offset);
  // `one_of_many`: 0, or what tells this object from others that look the same.
  std::uint32_t object(const format::ObjectInfo& info, std::uint64_t one_of_many);
  // Requires: parent is an id of a node.
  std::uint32_t node(std::uint32_t parent, std::uint32_t site);

  const std::vector<format::ModuleInfo>& modules() const { return modules_; }  // [id - 1]
  const std::vector<format::SiteRecord>& sites() const { return sites_; }      // [id - 1]
  std::size_t node_count() const { return nodes_.size(); }
  std::uint32_t site_of(std::uint32_t node) const { return nodes_[node - 1].site; }

  // What an operation acted on: its calls are the operation's.
  bool is_object(std::uint32_t node) const;

  // Writes what the file does not have yet; true: the file has everything.
  bool write_new(SgzWriter& writer);

 private:
  struct SiteKey {
    std::uint32_t module;
    std::uint64_t offset;
    bool operator==(const SiteKey&) const = default;
  };
  struct SiteHash {
    std::size_t operator()(const SiteKey& key) const {
      return (key.offset ^ (std::uint64_t{key.module} << 40U)) * 0x9e3779b97f4a7c15ULL;
    }
  };
  // Kind, name, site, one of many.
  using ObjectKey = std::tuple<format::ObjectKind, std::string, std::uint32_t, std::uint64_t>;
  struct NodeHash {
    std::size_t operator()(std::uint64_t key) const { return key * 0x9e3779b97f4a7c15ULL; }
  };

  std::vector<format::ModuleInfo> modules_;
  std::vector<format::SiteRecord> sites_;
  std::vector<format::ObjectInfo> objects_;
  std::vector<format::NodeRecord> nodes_;
  std::unordered_map<std::string, std::uint32_t> module_ids_;  // path, NUL, build-id
  std::unordered_map<SiteKey, std::uint32_t, SiteHash> site_ids_;
  std::map<ObjectKey, std::uint32_t> object_ids_;
  std::unordered_map<std::uint64_t, std::uint32_t, NodeHash> node_ids_;  // parent << 32 | site
  std::size_t modules_written_ = 0;
  std::size_t sites_written_ = 0;
  std::size_t objects_written_ = 0;
  std::size_t nodes_written_ = 0;
  std::vector<std::uint8_t> raw_;
};

}  // namespace spyglass::collector
