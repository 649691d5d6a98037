// SPDX-License-Identifier: Apache-2.0
// metadata_codec.h - the rare records as protobuf messages: unknown fields are skipped, so that an
// old reader opens a new file. The one use of protozero.
//
//   Where    collector (encode) and reader (decode).
//   Errors   decode rejects malformed messages; caps string and list sizes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "format/records.h"
#include "format/result.h"

namespace spyglass::format {

using Bytes = std::vector<std::uint8_t>;
using ByteSpan = std::span<const std::uint8_t>;

// Each replaces `out` by one message.
void encode_session(const SessionInfo& session, Bytes& out);
void encode_end(const EndInfo& end, Bytes& out);
void encode_processes(std::span<const ProcessRecord> records, Bytes& out);
void encode_threads(std::span<const ThreadRecord> records, Bytes& out);
void encode_modules(std::span<const ModuleInfo> records, Bytes& out);
void encode_objects(std::span<const ObjectInfo> records, Bytes& out);
void encode_losses(std::span<const LossRecord> records, Bytes& out);
void encode_symbols(std::span<const SymbolRecord> records, Bytes& out);

Result<SessionInfo> decode_session(ByteSpan payload);
Result<EndInfo> decode_end(ByteSpan payload);
Result<std::vector<ProcessRecord>> decode_processes(ByteSpan payload);
Result<std::vector<ThreadRecord>> decode_threads(ByteSpan payload);
Result<std::vector<ModuleInfo>> decode_modules(ByteSpan payload);
Result<std::vector<ObjectInfo>> decode_objects(ByteSpan payload);
Result<std::vector<LossRecord>> decode_losses(ByteSpan payload);
Result<std::vector<SymbolRecord>> decode_symbols(ByteSpan payload);

}  // namespace spyglass::format
