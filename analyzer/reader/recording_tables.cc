// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/recording_tables.h"

#include <array>
#include <cstdio>
#include <string_view>
#include <tuple>
#include <utility>

#include "format/metadata_codec.h"
#include "format/record_names.h"
#include "format/table_codec.h"

namespace spyglass {
namespace {

using format::BlockKind;

template <typename Record>
void insert_latest(Result<std::vector<Record>> records, std::map<std::uint32_t, Record>& table) {
  if (records) {
    for (Record& record : *records) {
      table[record.id] = std::move(record);
    }
  }
}

template <typename Record, typename Decode>
void insert_rows(const std::vector<std::uint8_t>& raw, std::uint32_t count, Decode decode,
                 std::map<std::uint32_t, Record>& table) {
  std::vector<Record> records;
  if (decode(raw, count, records)) {
    for (const Record& record : records) {
      table[record.id] = record;
    }
  }
}

using LossKey = std::tuple<format::LossKind, std::uint32_t, std::string>;

class TableReader {
 public:
  explicit TableReader(SgzReader& reader) : reader_(reader) {}

  RecordingTables read() {
    BlockView block;
    reader_.rewind();
    while (reader_.next(block)) {
      if (std::vector<BlockView>* mass = mass_of(block.header.kind)) {
        mass->push_back(block);
      } else if (block.header.kind == BlockKind::kMetrics) {
        // Nobody asks for single rows.
      } else if (reader_.payload(block, raw_)) {
        add(block);
      }
    }
    for (auto& [key, loss] : losses_) {
      tables_.losses.push_back(std::move(loss));
    }
    return std::move(tables_);
  }

 private:
  // Where blocks are kept that are not read here; null for the others.
  std::vector<BlockView>* mass_of(BlockKind kind) {
    switch (kind) {
      case BlockKind::kSpans:
        return &tables_.span_blocks;
      case BlockKind::kCounters:
        return &tables_.counter_blocks;
      case BlockKind::kEvents:
        return &tables_.event_blocks;
      case BlockKind::kAllocations:
        return &tables_.allocation_blocks;
      case BlockKind::kResident:
        return &tables_.resident_blocks;
      default:
        return nullptr;
    }
  }
  void add(const BlockView& block) {
    const std::uint32_t count = block.header.records;
    switch (block.header.kind) {
      case BlockKind::kSession:
        keep(format::decode_session(raw_), tables_.session);
        break;
      case BlockKind::kEnd:
        keep(format::decode_end(raw_), tables_.end);
        break;
      case BlockKind::kProcesses:
        insert_latest(format::decode_processes(raw_), tables_.processes);
        break;
      case BlockKind::kThreads:
        insert_latest(format::decode_threads(raw_), tables_.threads);
        break;
      case BlockKind::kModules:
        insert_latest(format::decode_modules(raw_), tables_.modules);
        break;
      case BlockKind::kObjects:
        insert_latest(format::decode_objects(raw_), tables_.objects);
        break;
      case BlockKind::kSites:
        insert_rows(raw_, count, format::decode_sites, tables_.sites);
        break;
      case BlockKind::kNodes:
        insert_rows(raw_, count, format::decode_nodes, tables_.nodes);
        break;
      case BlockKind::kOpenCalls:
        add_open_calls(count);
        break;
      case BlockKind::kLosses:
        add_losses();
        break;
      case BlockKind::kSymbols:
        add_symbols();
        break;
      default:
        break;  // the mass is not read here, later kinds are not known
    }
  }
  template <typename Record>
  static void keep(Result<Record> record, std::optional<Record>& out) {
    if (record) {
      out = std::move(*record);
    }
  }
  void add_open_calls(std::uint32_t count) {
    std::vector<format::OpenCall> calls;
    if (format::decode_open_calls(raw_, count, calls)) {
      for (const format::OpenCall& call : calls) {
        if (call.final) {
          tables_.open_at_end.push_back(call);
        }
      }
    }
  }
  void add_losses() {
    auto losses = format::decode_losses(raw_);
    if (losses) {
      for (format::LossRecord& loss : *losses) {
        LossKey key{loss.kind, loss.thread, loss.reason};
        losses_[std::move(key)] = std::move(loss);
      }
    }
  }
  void add_symbols() {
    auto symbols = format::decode_symbols(raw_);
    if (symbols) {
      for (format::SymbolRecord& symbol : *symbols) {
        if (!symbol.frames.empty()) {
          tables_.symbols[symbol.site] = std::move(symbol.frames.front());
        }
      }
    }
  }

  SgzReader& reader_;
  RecordingTables tables_;
  std::map<LossKey, format::LossRecord> losses_;
  std::vector<std::uint8_t> raw_;
};

std::string hex(std::uint64_t value) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

template <typename Record>
const Record* find(const std::map<std::uint32_t, Record>& table, std::uint32_t id) {
  const auto found = table.find(id);
  return found == table.end() ? nullptr : &found->second;
}

// Of a site without a module; empty if it is an address.
std::string special_name(const RecordingTables& tables, std::uint64_t offset) {
  if (offset == format::kOverflowSiteOffset) {
    return "[past the tree's bound]";
  }
  if (offset == format::kTruncatedSiteOffset) {
    return "[stack truncated]";
  }
  if ((offset & format::kPcSite) != 0) {
    return {};
  }
  const auto number = static_cast<std::uint32_t>(offset);
  if ((offset & format::kObjectSite) != 0) {
    const format::ObjectInfo* object = find(tables.objects, number);
    if (object == nullptr) {
      return "[object " + std::to_string(number) + "]";
    }
    const std::string kind(format::object_kind_name(object->kind));
    const format::FrameInfo* place = find(tables.symbols, object->site);
    const std::string& name =
        object->name.empty() && place != nullptr ? place->function : object->name;
    return "[" + kind + " " + (name.empty() ? std::to_string(number) : name) + "]";
  }
  if ((offset & format::kOperationSite) != 0) {
    return format::is_operation(number) ? format::operation_info(number).name
                                        : "[operation " + std::to_string(number) + "]";
  }
  return {};
}

}  // namespace

RecordingTables read_tables(SgzReader& reader) { return TableReader(reader).read(); }

std::string symbol_of_node(const RecordingTables& tables, std::uint32_t node) {
  if (node == format::kRootNode) {
    return "[root]";
  }
  const format::NodeRecord* record = find(tables.nodes, node);
  const format::SiteRecord* site = record == nullptr ? nullptr : find(tables.sites, record->site);
  if (site == nullptr) {
    return "[node " + std::to_string(node) + "]";
  }
  const format::FrameInfo* symbol = find(tables.symbols, site->id);
  if (symbol != nullptr && !symbol->function.empty()) {
    return symbol->function;
  }
  if (site->module == 0) {
    if (std::string name = special_name(tables, site->offset); !name.empty()) {
      return name;
    }
  }
  const format::ModuleInfo* module = find(tables.modules, site->module);
  const std::uint64_t offset = site->offset & ~format::kPcSite;
  if (module == nullptr) {
    return hex(offset);
  }
  const std::string_view path = module->path;
  return std::string(path.substr(path.rfind('/') + 1)) + "+" + hex(offset);
}

}  // namespace spyglass
