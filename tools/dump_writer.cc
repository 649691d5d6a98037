// SPDX-License-Identifier: Apache-2.0
#include "tools/dump_writer.h"

#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <iterator>
#include <sstream>
#include <vector>

#include "analyzer/report/json_writer.h"
#include "analyzer/report/loss_text.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/safe_text.h"
#include "format/record_names.h"
#include "symbols/elf_symbols.h"

namespace spyglass {
namespace {

constexpr std::size_t kFlushBytes = 64U << 10U;

std::string json_text(std::string_view text) {
  std::ostringstream out;
  JsonWriter(out).text(text);
  std::string json = out.str();
  json.resize(json.find_last_not_of('\n') + 1);  // a document ends with one
  return json;
}

std::string json_list(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) {
    list += (list.empty() ? "" : ",") + json_text(text);
  }
  return "[" + list + "]";
}

std::string json_exit(const format::ProcessRecord& process) {
  switch (process.exit) {
    case format::ExitKind::kExited:
      return fmt::format(R"({{"code":{}}})", process.exit_value);
    case format::ExitKind::kSignaled:
      return fmt::format(R"({{"signal":{}}})", process.exit_value);
    case format::ExitKind::kExeced:
      return R"({"exec":true})";
    default:
      return "null";
  }
}

template <typename... Arguments>
void append(fmt::memory_buffer& buffer, fmt::format_string<Arguments...> format,
            Arguments&&... arguments) {
  fmt::format_to(std::back_inserter(buffer), format, std::forward<Arguments>(arguments)...);
}

std::string signed_seconds(std::int64_t ns) {
  const auto magnitude = static_cast<std::uint64_t>(ns < 0 ? -ns : ns);
  return fmt::format("{}{}.{:09}", ns < 0 ? "-" : "", magnitude / 1'000'000'000,
                     magnitude % 1'000'000'000);
}

}  // namespace

std::string_view event_kind_name(EventKind kind) {
  constexpr std::array<std::string_view, 16> kNames = {
      "process_start", "thread_start", "span",       "sample",   "contention", "exception",
      "fatal_signal",  "lock_order",   "allocation", "resident", "snapshot",   "open_call",
      "thread_end",    "process_end",  "loss",       "end"};
  return kNames.at(static_cast<std::size_t>(kind));
}

DumpWriter::DumpWriter(std::ostream& out, const RecordingTables& tables, bool json)
    : out_(out),
      tables_(tables),
      clock_(tables.session.value_or(format::SessionInfo{}), tables.end),
      json_(json) {}

DumpWriter::~DumpWriter() { flush(); }

void DumpWriter::flush() {
  out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
  buffer_.clear();
}

void DumpWriter::write_schema(const format::FileHeader& header) {
  if (json_) {
    append(buffer_,
           R"({{"kind":"recording","schema":"spyglass-dump/1","uuid":"{:02x}",)"
           R"("started_unix_ns":{}}})"
           "\n",
           fmt::join(header.uuid, ""), header.started_unix_ns);
  }
}

void DumpWriter::write(const Event& event) {
  json_ ? write_json(event) : write_text(event);
  if (buffer_.size() >= kFlushBytes) {
    flush();
  }
}

void DumpWriter::write(const ReaderDamage& damage) {
  if (json_) {
    append(buffer_,
           R"({{"kind":"damage","offset":{},"bytes":{},"what":{}}})"
           "\n",
           damage.offset, damage.bytes, json_text(damage.what));
  } else {
    append(buffer_, "damage at offset {}, {} bytes: {}\n", damage.offset, damage.bytes,
           damage.what);
  }
}

std::int64_t DumpWriter::at_ns(std::uint64_t ticks) const {
  return std::llround(clock_.ns_since_start(ticks));
}

std::int64_t DumpWriter::for_ns(std::uint64_t ticks) const {
  return std::llround(clock_.ns(static_cast<double>(ticks)));
}

std::string DumpWriter::plain_function_of(std::uint32_t node) const {
  return demangle(symbol_of_node(tables_, node));
}

std::string_view DumpWriter::function_of(std::uint32_t node) {
  const auto [entry, added] = functions_.try_emplace(node);
  if (added) {
    const std::string name = plain_function_of(node);
    entry->second = json_ ? json_text(name) : printable(name);
  }
  return entry->second;
}

std::string_view DumpWriter::thread_of(std::uint32_t id) {
  const auto [entry, added] = threads_.try_emplace(id);
  if (added && id != 0) {
    const auto thread = tables_.threads.find(id);
    const format::ThreadRecord record =
        thread == tables_.threads.end() ? format::ThreadRecord{} : thread->second;
    const auto process = tables_.processes.find(record.process);
    const std::uint32_t pid = process == tables_.processes.end() ? 0 : process->second.pid;
    entry->second = json_ ? fmt::format(R"("pid":{},"tid":{},"thread":{})", pid, record.tid,
                                        json_text(record.name))
                          : fmt::format("{}/{} {}", pid, record.tid, printable(record.name));
  } else if (added) {
    entry->second = json_ ? R"("pid":0,"tid":0,"thread":"")" : "-";
  }
  return entry->second;
}

void DumpWriter::write_text(const Event& event) {
  append(buffer_, "{} ", signed_seconds(at_ns(event.ticks)));
  const std::string_view kind = event_kind_name(event.kind);
  switch (event.kind) {
    case EventKind::kProcessStart:
    case EventKind::kProcessEnd: {
      const format::ProcessRecord& process = *event.process;
      const bool start = event.kind == EventKind::kProcessStart;
      const std::string* command = process.command.data();
      append(buffer_, "{} {} {}\n", process.pid, kind,
             start ? (process.forked ? "(fork) " : "") +
                         command_line(command, command + process.command.size())
                   : describe_exit(process));
      break;
    }
    case EventKind::kThreadStart:
      append(buffer_, "{} {}\n", thread_of(event.thread->id), kind);
      break;
    case EventKind::kThreadEnd:
      append(buffer_, "{} {} cpu {}\n", thread_of(event.thread->id), kind,
             format_duration(static_cast<double>(event.thread->cpu_ns)));
      break;
    case EventKind::kSpan:
      append(buffer_, "{} {} {} {}\n", thread_of(event.span.thread), kind,
             format_duration(clock_.ns(static_cast<double>(event.span.span.duration_ticks))),
             function_of(event.span.span.node));
      break;
    case EventKind::kSample:
    case EventKind::kContention:
    case EventKind::kException:
    case EventKind::kFatalSignal:
    case EventKind::kLockOrder:
      write_moment_text(event);
      break;
    case EventKind::kAllocation:
      write_allocation_text(event);
      break;
    case EventKind::kResident:
      append(buffer_, "{} {} {}\n", pid_of(event.resident->process), kind,
             format_bytes(event.resident->resident_bytes));
      break;
    case EventKind::kSnapshot:
      append(buffer_, "{} {} {} calls, {} {}\n", thread_of(event.row->thread), kind,
             event.row->calls,
             format_duration(clock_.ns(static_cast<double>(event.row->wall_ticks))),
             function_of(event.row->node));
      break;
    case EventKind::kOpenCall:
      append(buffer_, "{} {} since {} {}\n", thread_of(event.open_call->thread), kind,
             signed_seconds(at_ns(event.open_call->start_ticks)),
             function_of(event.open_call->node));
      break;
    case EventKind::kLoss:
      append(buffer_, "{} {} {}\n", thread_of(event.loss->thread), kind,
             printable(describe_loss(*event.loss)));
      break;
    case EventKind::kSessionEnd:
      append(buffer_, "- {}{}\n", kind, event.end->interrupted ? " (interrupted)" : "");
      break;
  }
}

// An event's own node is often an object; its operation and who called that say more.
std::string DumpWriter::place_of(std::uint32_t node) {
  std::string place;
  for (int i = 0; i < 3 && node > format::kRootNode; ++i) {
    const auto record = tables_.nodes.find(node);
    const auto site = record == tables_.nodes.end() ? tables_.sites.end()
                                                    : tables_.sites.find(record->second.site);
    place += (i == 0 ? "" : " < ") + std::string(plain_function_of(node));
    const bool special = site != tables_.sites.end() && site->second.module == 0 &&
                         (site->second.offset & format::kPcSite) == 0;
    if (!special) break;
    node = record->second.parent;
  }
  return place.empty() ? "-" : place;
}

void DumpWriter::write_moment_text(const Event& event) {
  const format::EventRecord& moment = *event.moment;
  append(buffer_, "{} {}", thread_of(event.thread_id), event_kind_name(event.kind));
  if (moment.duration_ticks != 0) {
    append(buffer_, " {}", format_duration(clock_.ns(static_cast<double>(moment.duration_ticks))));
  }
  append(buffer_, " {}", printable(place_of(moment.node)));
  switch (event.kind) {
    case EventKind::kSample:
      append(buffer_, "{}", moment.value > 1 ? fmt::format(" x{}", moment.value) : "");
      break;
    case EventKind::kContention:
      append(buffer_, ", held by {} in {}",
             moment.other_thread != 0 ? std::string(thread_of(moment.other_thread))
                                      : fmt::format("tid {}", moment.value),
             printable(place_of(moment.other_node)));
      break;
    case EventKind::kException:
      append(buffer_, ", {} frames, caught in {}", moment.value,
             moment.other_node == 0 ? "no place" : printable(place_of(moment.other_node)));
      break;
    case EventKind::kFatalSignal:
      append(buffer_, " at address {:#x}", moment.value);
      break;
    default:
      append(buffer_, " while holding {}", printable(place_of(moment.other_node)));
  }
  append(buffer_, "{}\n", moment.text.empty() ? "" : ": " + printable(moment.text));
}

void DumpWriter::write_allocation_text(const Event& event) {
  const format::AllocationRecord& record = *event.allocation;
  const bool gives_back = record.kind == format::AllocationKind::kFree ||
                          record.kind == format::AllocationKind::kMoveFrom;
  append(buffer_, "{} {} {} {:#x}{} {}\n", thread_of(event.thread_id), event_kind_name(event.kind),
         format::allocation_kind_name(record.kind), record.address,
         gives_back ? "" : fmt::format(", {} bytes", record.bytes),
         printable(place_of(record.node)));
}

std::uint32_t DumpWriter::pid_of(std::uint32_t process) const {
  const auto known = tables_.processes.find(process);
  return known == tables_.processes.end() ? 0 : known->second.pid;
}

void DumpWriter::write_moment_json(const Event& event) {
  const format::EventRecord& moment = *event.moment;
  begin_json(event);
  append(buffer_, R"({},"function":{},"node":{},"start_ns":{},"duration_ns":{},"value":{})",
         thread_of(event.thread_id), function_of(moment.node), moment.node,
         at_ns(moment.start_ticks), for_ns(moment.duration_ticks), moment.value);
  if (moment.other_node != 0) {
    append(buffer_, R"(,"other_function":{},"other_node":{})", function_of(moment.other_node),
           moment.other_node);
  }
  if (const auto other = tables_.threads.find(moment.other_thread);
      other != tables_.threads.end()) {
    append(buffer_, R"(,"other_tid":{})", other->second.tid);
  }
  if (!moment.text.empty()) {
    append(buffer_, R"(,"text":{})", json_text(moment.text));
  }
}

void DumpWriter::begin_json(const Event& event) {
  append(buffer_, R"({{"kind":"{}","ns":{},)", event_kind_name(event.kind), at_ns(event.ticks));
}

void DumpWriter::write_memory_json(const Event& event) {
  begin_json(event);
  if (event.kind == EventKind::kResident) {
    append(buffer_, R"("pid":{},"resident_bytes":{})", pid_of(event.resident->process),
           event.resident->resident_bytes);
    return;
  }
  append(buffer_, R"({},"what":"{}","function":{},"node":{},"address":{},"bytes":{})",
         thread_of(event.thread_id), format::allocation_kind_name(event.allocation->kind),
         function_of(event.allocation->node), event.allocation->node, event.allocation->address,
         event.allocation->bytes);
}

void DumpWriter::write_counted_json(const Event& event) {
  begin_json(event);
  if (event.kind == EventKind::kSnapshot) {
    append(buffer_, R"({},"function":{},"node":{},"calls":{},"wall_ns":{},"off_cpu_ns":{})",
           thread_of(event.row->thread), function_of(event.row->node), event.row->node,
           event.row->calls + event.row->untimed_calls, for_ns(event.row->wall_ticks),
           for_ns(event.row->off_cpu_ticks));
    return;
  }
  append(buffer_, R"({},"function":{},"node":{},"start_ns":{},"inherited":{})",
         thread_of(event.open_call->thread), function_of(event.open_call->node),
         event.open_call->node, at_ns(event.open_call->start_ticks), event.open_call->inherited);
}

void DumpWriter::write_json(const Event& event) {
  switch (event.kind) {
    case EventKind::kProcessStart:
      begin_json(event);
      append(buffer_, R"("pid":{},"ppid":{},"forked":{},"executable":{},"command":{})",
             event.process->pid, event.process->ppid, event.process->forked,
             json_text(event.process->executable), json_list(event.process->command));
      break;
    case EventKind::kProcessEnd:
      begin_json(event);
      append(buffer_, R"("pid":{},"exit":{})", event.process->pid, json_exit(*event.process));
      break;
    case EventKind::kThreadStart:
      begin_json(event);
      append(buffer_, "{}", thread_of(event.thread->id));
      break;
    case EventKind::kThreadEnd:
      begin_json(event);
      append(buffer_, R"({},"cpu_ns":{})", thread_of(event.thread->id), event.thread->cpu_ns);
      break;
    case EventKind::kSpan:
      append(buffer_,
             R"({{"kind":"span",{},"function":{},"node":{},"start_ns":{},"duration_ns":{})",
             thread_of(event.span.thread), function_of(event.span.span.node), event.span.span.node,
             at_ns(event.span.span.start_ticks), for_ns(event.span.span.duration_ticks));
      break;
    case EventKind::kSample:
    case EventKind::kContention:
    case EventKind::kException:
    case EventKind::kFatalSignal:
    case EventKind::kLockOrder:
      write_moment_json(event);
      break;
    case EventKind::kAllocation:
    case EventKind::kResident:
      write_memory_json(event);
      break;
    case EventKind::kSnapshot:
    case EventKind::kOpenCall:
      write_counted_json(event);
      break;
    case EventKind::kLoss:
      begin_json(event);
      append(buffer_, R"({},"loss":"{}","count":{},"reason":{})", thread_of(event.loss->thread),
             loss_kind_name(event.loss->kind), event.loss->count, json_text(event.loss->reason));
      break;
    case EventKind::kSessionEnd:
      begin_json(event);
      append(buffer_, R"("interrupted":{})", event.end->interrupted);
      break;
  }
  append(buffer_, "}}\n");
}

}  // namespace spyglass
