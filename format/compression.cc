// SPDX-License-Identifier: Apache-2.0
#include "format/compression.h"

#include <lz4.h>
#include <zstd.h>

#include <string>

namespace spyglass::format {

struct Compressor::Workspace {
  std::vector<std::uint8_t> lz4_state;
  ZSTD_CCtx* zstd = nullptr;

  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() { ZSTD_freeCCtx(zstd); }

  // Each returns the compressed size, 0 when `bound` bytes are not enough.
  std::size_t lz4(std::span<const std::uint8_t> raw, std::uint8_t* out, std::size_t bound) {
    lz4_state.resize(static_cast<std::size_t>(LZ4_sizeofState()));
    return static_cast<std::size_t>(LZ4_compress_fast_extState(
        lz4_state.data(), reinterpret_cast<const char*>(raw.data()), reinterpret_cast<char*>(out),
        static_cast<int>(raw.size()), static_cast<int>(bound), 1));
  }
  std::size_t zstd_level(std::span<const std::uint8_t> raw, std::uint8_t* out, std::size_t bound,
                         int level) {
    if (zstd == nullptr) {
      zstd = ZSTD_createCCtx();
    }
    if (zstd == nullptr) {
      return 0;
    }
    const std::size_t size = ZSTD_compressCCtx(zstd, out, bound, raw.data(), raw.size(), level);
    return ZSTD_isError(size) != 0 ? 0 : size;
  }
};

Compressor::Compressor() : workspace_(std::make_unique<Workspace>()) {}
Compressor::~Compressor() = default;

Codec Compressor::compress(std::span<const std::uint8_t> raw, Codec wanted,
                           std::vector<std::uint8_t>& out, int zstd_level) {
  // One byte less than raw: what does not get smaller is not worth a decompression.
  const std::size_t bound = raw.empty() ? 0 : raw.size() - 1;
  std::size_t size = 0;
  if (bound > 0 && raw.size() <= kMaxRawBytes && wanted != Codec::kNone) {
    out.resize(bound);
    size = wanted == Codec::kLz4 ? workspace_->lz4(raw, out.data(), bound)
                                 : workspace_->zstd_level(raw, out.data(), bound, zstd_level);
  }
  if (size == 0) {
    out.assign(raw.begin(), raw.end());
    return Codec::kNone;
  }
  out.resize(size);
  return wanted;
}

namespace {

struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

std::size_t decompress_zstd(std::span<const std::uint8_t> stored, std::vector<std::uint8_t>& out) {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context(ZSTD_createDCtx());
  if (context == nullptr) {
    return SIZE_MAX;
  }
  const std::size_t size =
      ZSTD_decompressDCtx(context.get(), out.data(), out.size(), stored.data(), stored.size());
  return ZSTD_isError(size) != 0 ? SIZE_MAX : size;
}

std::size_t decompress_lz4(std::span<const std::uint8_t> stored, std::vector<std::uint8_t>& out) {
  const int size = LZ4_decompress_safe(
      reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(out.data()),
      static_cast<int>(stored.size()), static_cast<int>(out.size()));
  return size < 0 ? SIZE_MAX : static_cast<std::size_t>(size);
}

}  // namespace

Status decompress(std::span<const std::uint8_t> stored, Codec codec, std::uint32_t raw_bytes,
                  std::vector<std::uint8_t>& out) {
  out.clear();
  if (raw_bytes > kMaxRawBytes || stored.size() > kMaxRawBytes) {
    return Error{ErrorKind::kDamaged, "block declares an impossible size"};
  }
  std::size_t size = SIZE_MAX;
  switch (codec) {
    case Codec::kNone:
      out.assign(stored.begin(), stored.end());
      size = stored.size();
      break;
    case Codec::kLz4:
      out.resize(raw_bytes);
      size = decompress_lz4(stored, out);
      break;
    case Codec::kZstd:
      out.resize(raw_bytes);
      size = decompress_zstd(stored, out);
      break;
    default:
      return Error{ErrorKind::kFormat,
                   "unknown codec " + std::to_string(static_cast<unsigned>(codec))};
  }
  if (size != raw_bytes) {
    out.clear();
    return Error{ErrorKind::kDamaged, "payload does not decompress to its declared size"};
  }
  return Unit{};
}

}  // namespace spyglass::format
