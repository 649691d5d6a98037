// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/node_interner.h"

#include <algorithm>

#include "format/metadata_codec.h"
#include "format/table_codec.h"
#include "recorder/collector/sgz_writer.h"

namespace spyglass::collector {
namespace {

constexpr std::size_t kRecordsPerBlock = 1U << 18U;
constexpr std::size_t kModulesPerBlock = 1024;

// Writes records[written...] in blocks of at most `limit`; `written` follows what the file has.
template <typename Record, typename Encode>
bool write_rest(SgzWriter& writer, format::BlockKind kind, const std::vector<Record>& records,
                std::size_t limit, std::size_t& written, std::vector<std::uint8_t>& raw,
                const Encode& encode) {
  while (written < records.size()) {
    const std::size_t count = std::min(limit, records.size() - written);
    raw.clear();
    encode(std::span(records).subspan(written, count), raw);
    BlockContent content;
    content.kind = kind;
    content.raw = raw;
    content.records = static_cast<std::uint32_t>(count);
    if (!writer.append(content)) {
      return false;
    }
    written += count;
  }
  return true;
}

}  // namespace

NodeInterner::NodeInterner() { nodes_.push_back({format::kRootNode, 0, 0}); }

std::uint32_t NodeInterner::module(const std::string& path,
                                   std::span<const std::uint8_t> build_id) {
  std::string key = path;
  key.push_back('\0');
  key.append(build_id.begin(), build_id.end());
  const auto [place, added] =
      module_ids_.try_emplace(std::move(key), static_cast<std::uint32_t>(modules_.size() + 1));
  if (added) {
    modules_.push_back({place->second, path, {build_id.begin(), build_id.end()}});
  }
  return place->second;
}

std::uint32_t NodeInterner::site(std::uint32_t module, std::uint64_t offset) {
  const auto [place, added] =
      site_ids_.try_emplace(SiteKey{module, offset}, static_cast<std::uint32_t>(sites_.size() + 1));
  if (added) {
    sites_.push_back({place->second, module, offset});
  }
  return place->second;
}

std::uint32_t NodeInterner::object(const format::ObjectInfo& info, std::uint64_t one_of_many) {
  const auto [place, added] =
      object_ids_.try_emplace({info.kind, info.name, info.site, one_of_many},
                              static_cast<std::uint32_t>(objects_.size() + 1));
  if (added) {
    objects_.push_back(info);
    objects_.back().id = place->second;
  }
  return place->second;
}

std::uint32_t NodeInterner::node(std::uint32_t parent, std::uint32_t site) {
  const std::uint64_t key = std::uint64_t{parent} << 32U | site;
  const auto [place, added] =
      node_ids_.try_emplace(key, static_cast<std::uint32_t>(nodes_.size() + 1));
  if (added) {
    nodes_.push_back({place->second, parent, site});
  }
  return place->second;
}

bool NodeInterner::is_object(std::uint32_t node) const {
  const std::uint32_t site = site_of(node);
  return site != 0 && sites_[site - 1].module == 0 &&
         (sites_[site - 1].offset & ~(format::kObjectSite - 1)) == format::kObjectSite;
}

bool NodeInterner::write_new(SgzWriter& writer) {
  using format::BlockKind;
  return write_rest(writer, BlockKind::kModules, modules_, kModulesPerBlock, modules_written_, raw_,
                    format::encode_modules) &&
         write_rest(writer, BlockKind::kSites, sites_, kRecordsPerBlock, sites_written_, raw_,
                    format::encode_sites) &&
         write_rest(writer, BlockKind::kObjects, objects_, kModulesPerBlock, objects_written_, raw_,
                    format::encode_objects) &&
         write_rest(writer, BlockKind::kNodes, nodes_, kRecordsPerBlock, nodes_written_, raw_,
                    format::encode_nodes);
}

}  // namespace spyglass::collector
