// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/embed_symbols.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "recorder/collector/sample_image.h"
#include "symbols/elf_symbols.h"
#include "symbols/perf_map.h"

namespace spyglass::collector {
namespace {

constexpr auto kLongest = std::chrono::seconds(10);
constexpr std::size_t kSitesBetweenLooks = 256;  // at the clock

// The names of one module.
class ModuleNames {
 public:
  explicit ModuleNames(const format::ModuleInfo& module) : module_(module) {
    if (is_perf_map_path(module.path)) {
      if (Result<PerfMap> opened = PerfMap::open(module.path)) {
        map_.emplace(std::move(*opened));
      }
    } else if (Result<ElfSymbols> opened = ElfSymbols::open(module.path, module.build_id)) {
      file_.emplace(std::move(*opened));
    }
  }

  bool misses_map() const { return is_perf_map_path(module_.path) && !map_; }

  std::vector<format::FrameInfo> at(std::uint64_t offset) {
    const bool instruction = (offset & format::kPcSite) != 0;
    offset &= ~format::kPcSite;
    if (map_) {
      const std::string* name = map_->find(offset);
      return name == nullptr ? std::vector<format::FrameInfo>{}
                             : std::vector<format::FrameInfo>{{*name, {}, 0, false, 0}};
    }
    if (!file_) {
      return {};
    }
    if (instruction) {
      std::vector<format::FrameInfo> frames = file_->frames_at(offset);
      return frames.empty() ? nameless_at(offset) : frames;
    }
    std::optional<format::FrameInfo> frame = file_->function_at(offset);
    if (!frame) {
      frame = file_->variable_at(offset);  // a lock
    }
    return frame ? std::vector<format::FrameInfo>{std::move(*frame)}
                 : std::vector<format::FrameInfo>{};
  }

 private:
  // A stripped function is known by its place: its unwinding rules tell where it begins.
  std::vector<format::FrameInfo> nameless_at(std::uint64_t offset) {
    if (!image_) {
      image_.emplace(SampleImage::open({module_.path, module_.build_id, 0, 0}));
    }
    const std::uint64_t begin = unwind::entry_begin(image_->tables(), offset);
    if (begin == 0) {
      return {};
    }
    const std::string file = module_.path.substr(module_.path.rfind('/') + 1);
    std::array<char, 24> place;
    std::snprintf(place.data(), place.size(), "+0x%llx", static_cast<unsigned long long>(begin));
    return {{file + place.data(), {}, 0, false, 0}};
  }

  const format::ModuleInfo& module_;
  std::optional<SampleImage> image_;
  std::optional<ElfSymbols> file_;
  std::optional<PerfMap> map_;
};

}  // namespace

FoundSymbols find_symbols(const std::vector<format::ModuleInfo>& modules,
                          const std::vector<format::SiteRecord>& sites) {
  // One module is open at a time.
  std::vector<format::SiteRecord> by_module = sites;
  std::sort(by_module.begin(), by_module.end(), [](const auto& a, const auto& b) {
    return std::pair(a.module, a.offset) < std::pair(b.module, b.offset);
  });
  FoundSymbols found;
  const auto until = std::chrono::steady_clock::now() + kLongest;
  std::optional<ModuleNames> names;
  std::uint32_t module = 0;
  for (std::size_t i = 0; i < by_module.size(); ++i) {
    const format::SiteRecord& site = by_module[i];
    if (i % kSitesBetweenLooks == 0 && std::chrono::steady_clock::now() > until) {
      found.not_looked_up = by_module.size() - i;
      break;
    }
    if (site.module == 0 || site.module > modules.size()) {
      continue;
    }
    if (site.module != module) {
      module = site.module;
      names.emplace(modules[module - 1]);
      if (names->misses_map()) {
        found.missing_maps.push_back(modules[module - 1].path);
      }
    }
    if (std::vector<format::FrameInfo> frames = names->at(site.offset); !frames.empty()) {
      found.symbols.push_back({site.id, std::move(frames)});
    }
  }
  return found;
}

}  // namespace spyglass::collector
