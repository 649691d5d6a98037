// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/embed_symbols.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "recorder/collector/sample_image.h"
#include "symbols/elf_symbols.h"
#include "symbols/perf_map.h"

namespace spyglass::collector {
namespace {

constexpr auto kLongest = std::chrono::seconds(10);
constexpr std::size_t kSitesBetweenLooks = 256;   // at the clock
constexpr std::size_t kSitesWorthAnother = 4096;  // thread, with its own tables of the file

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

// Sites of one module, by offset.
using Sites = std::span<const format::SiteRecord>;

FoundSymbols look_up(const std::vector<format::ModuleInfo>& modules, Sites sites,
                     std::chrono::steady_clock::time_point until) {
  FoundSymbols found;
  const std::uint32_t module = sites.front().module;
  if (module == 0 || module > modules.size()) {
    return found;
  }
  ModuleNames names(modules[module - 1]);
  for (std::size_t i = 0; i < sites.size(); ++i) {
    if (i % kSitesBetweenLooks == 0 && std::chrono::steady_clock::now() > until) {
      found.not_looked_up = sites.size() - i;
      break;
    }
    if (std::vector<format::FrameInfo> frames = names.at(sites[i].offset); !frames.empty()) {
      found.symbols.push_back({sites[i].id, std::move(frames)});
    }
  }
  return found;
}

// By module, a large one in parts.
std::vector<Sites> split(Sites by_module, std::size_t workers) {
  std::vector<Sites> parts;
  while (!by_module.empty()) {
    const auto other = std::ranges::find_if(by_module, [&](const format::SiteRecord& site) {
      return site.module != by_module.front().module;
    });
    Sites rest = by_module.first(static_cast<std::size_t>(other - by_module.begin()));
    by_module = by_module.subspan(rest.size());
    const std::size_t size = std::max(kSitesWorthAnother, rest.size() / workers + 1);
    while (!rest.empty()) {
      parts.push_back(rest.first(std::min(size, rest.size())));
      rest = rest.subspan(parts.back().size());
    }
  }
  return parts;
}

}  // namespace

FoundSymbols find_symbols(const std::vector<format::ModuleInfo>& modules,
                          const std::vector<format::SiteRecord>& sites) {
  std::vector<format::SiteRecord> by_module = sites;
  std::sort(by_module.begin(), by_module.end(), [](const auto& a, const auto& b) {
    return std::pair(a.module, a.offset) < std::pair(b.module, b.offset);
  });
  const auto until = std::chrono::steady_clock::now() + kLongest;
  const std::size_t workers = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
  const std::vector<Sites> parts = split(by_module, workers);
  std::vector<FoundSymbols> found(parts.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t part = next++; part < parts.size(); part = next++) {
      found[part] = look_up(modules, parts[part], until);
    }
  };
  {
    std::vector<std::jthread> others;
    try {
      while (by_module.size() > kSitesWorthAnother && others.size() + 1 < workers) {
        others.emplace_back(work);
      }
    } catch (const std::system_error&) {
      // As many as there are: one is enough.
    }
    work();
  }
  FoundSymbols all;
  for (FoundSymbols& part : found) {
    all.not_looked_up += part.not_looked_up;
    std::ranges::move(part.symbols, std::back_inserter(all.symbols));
  }
  return all;
}

}  // namespace spyglass::collector
