// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/remote_unwind.h"

#include <libunwind.h>

#include <cstring>
#include <memory>

// Exported by libunwind, declared in none of its installed headers.
extern "C" int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t space, unw_word_t ip,
                                                  unw_dyn_info_t* info, unw_proc_info_t* procedure,
                                                  int need_unwind_info, void* argument);

namespace spyglass::collector {
namespace {

struct Target {
  const PerfRegisters& registers;
  const StackMemory& memory;
};

constexpr std::size_t kHeaderBytes = 12;  // of .eh_frame_hdr, before its table, as it is written
constexpr std::uint8_t kSortedByOffset = 0x3b;  // DW_EH_PE_datarel | DW_EH_PE_sdata4
constexpr std::uint8_t kCount32 = 0x03;         // DW_EH_PE_udata4

const Target& target_of(const void* argument) { return *static_cast<const Target*>(argument); }

int find_procedure(unw_addr_space_t space, unw_word_t ip, unw_proc_info_t* procedure,
                   int need_unwind_info, void* argument) {
  unwind::Tables tables = {};
  std::uint64_t bias = 0;
  if (!target_of(argument).memory.find_tables(ip, tables, bias)) {
    return -UNW_ENOINFO;
  }
  const std::uint8_t* header = tables.header.begin;
  if (static_cast<std::size_t>(tables.header.end - header) < kHeaderBytes ||
      header[2] != kCount32 || header[3] != kSortedByOffset) {
    return -UNW_ENOINFO;
  }
  std::uint32_t count = 0;
  std::memcpy(&count, header + 8, sizeof(count));
  const auto room = static_cast<std::size_t>(tables.header.end - header) - kHeaderBytes;
  if (count == 0 || count > room / 8) {
    return -UNW_ENOINFO;
  }
  unw_dyn_info_t info = {};
  info.format = UNW_INFO_FORMAT_REMOTE_TABLE;
  info.start_ip = 0;
  info.end_ip = ~unw_word_t{0};
  info.u.rti.segbase = tables.header.address + bias;
  info.u.rti.table_data = tables.header.address + bias + kHeaderBytes;
  info.u.rti.table_len = std::uint64_t{count} * 8 / sizeof(unw_word_t);
  return UNW_OBJ(dwarf_search_unwind_table)(space, ip, &info, procedure, need_unwind_info,
                                            argument);
}

void put_unwind_info(unw_addr_space_t /*space*/, unw_proc_info_t* /*procedure*/,
                     void* /*argument*/) {}

int find_dynamic_list(unw_addr_space_t /*space*/, unw_word_t* /*list*/, void* /*argument*/) {
  return -UNW_ENOINFO;
}

int access_memory(unw_addr_space_t /*space*/, unw_word_t address, unw_word_t* value, int write,
                  void* argument) {
  std::uint64_t word = 0;
  if (write != 0 || !target_of(argument).memory.read(address, word)) {
    return -UNW_EINVAL;
  }
  *value = word;
  return 0;
}

int access_register(unw_addr_space_t /*space*/, unw_regnum_t number, unw_word_t* value, int write,
                    void* argument) {
  // In libunwind's order.
  static constexpr PerfRegister kOrder[] = {kRax, kRdx, kRcx, kRbx, kRsi, kRdi, kRbp, kRsp, kR8,
                                            kR9,  kR10, kR11, kR12, kR13, kR14, kR15, kRip};
  if (write != 0 || number < 0 || static_cast<std::size_t>(number) >= std::size(kOrder)) {
    return -UNW_EBADREG;
  }
  *value = target_of(argument).registers[kOrder[number]];
  return 0;
}

int access_float(unw_addr_space_t /*space*/, unw_regnum_t /*number*/, unw_fpreg_t* /*value*/,
                 int /*write*/, void* /*argument*/) {
  return -UNW_EBADREG;
}

int resume(unw_addr_space_t /*space*/, unw_cursor_t* /*cursor*/, void* /*argument*/) {
  return -UNW_EINVAL;
}

int name_procedure(unw_addr_space_t /*space*/, unw_word_t /*address*/, char* /*buffer*/,
                   std::size_t /*bytes*/, unw_word_t* /*offset*/, void* /*argument*/) {
  return -UNW_ENOINFO;
}

unw_addr_space_t address_space() {
  static unw_accessors_t accessors = {find_procedure, put_unwind_info, find_dynamic_list,
                                      access_memory,  access_register, access_float,
                                      resume,         name_procedure};
  // Processes differ in what they have mapped where, so nothing is cached.
  static const unw_addr_space_t kSpace = [] {
    const unw_addr_space_t made = unw_create_addr_space(&accessors, 0);
    if (made != nullptr) {
      unw_set_caching_policy(made, UNW_CACHE_NONE);
    }
    return made;
  }();
  return kSpace;
}

}  // namespace

RemoteStack unwind_remotely(const PerfRegisters& registers, const StackMemory& memory,
                            std::size_t max_frames) {
  RemoteStack stack;
  Target target = {registers, memory};
  const auto cursor = std::make_unique<unw_cursor_t>();
  if (address_space() == nullptr || unw_init_remote(cursor.get(), address_space(), &target) != 0) {
    return stack;
  }
  bool after_call = false;
  while (stack.frames.size() < max_frames) {
    unw_word_t pc = 0;
    unw_word_t sp = 0;
    if (unw_get_reg(cursor.get(), UNW_REG_IP, &pc) != 0 ||
        unw_get_reg(cursor.get(), UNW_REG_SP, &sp) != 0) {
      break;
    }
    if (pc == 0) {
      stack.whole = true;
      break;
    }
    if (!stack.frames.empty() && sp <= stack.frames.back().sp) {
      break;  // damaged: a caller's frame is further out
    }
    stack.frames.push_back({pc, sp, after_call});
    // The interrupted function of a signal handler was not called from where it stands.
    after_call = unw_is_signal_frame(cursor.get()) <= 0;
    const int stepped = unw_step(cursor.get());
    if (stepped <= 0) {
      stack.whole = stepped == 0;
      break;
    }
  }
  return stack;
}

}  // namespace spyglass::collector
