// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/quantity.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <limits>

namespace spyglass {
namespace {

struct Unit {
  double ns;
  const char* name;
};
constexpr std::array<Unit, 5> kUnits = {
    {{1, "ns"}, {1e3, "µs"}, {1e6, "ms"}, {1e9, "s"}, {3600e9, "h"}}};
constexpr double kSecondsLimit = 9999.5;  // past this, hours

int decimals_for(double value) { return value < 9.995 ? 2 : value < 99.95 ? 1 : 0; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::string with_separators(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

struct DateTime {
  std::tm tm{};
  std::uint64_t fraction_ns = 0;
};

DateTime split_time(std::uint64_t unix_ns) {
  DateTime result;
  const auto seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000U);
  result.fraction_ns = unix_ns % 1'000'000'000U;
  gmtime_r(&seconds, &result.tm);
  return result;
}

}  // namespace

std::string format_duration(double ns) {
  if (std::isnan(ns)) return "?";
  if (ns < 0) return "-" + format_duration(-ns);
  if (ns == 0) return "0";
  for (const Unit& unit : kUnits) {
    const double value = ns / unit.ns;
    const bool last = &unit == &kUnits.back();
    const bool seconds = unit.ns == 1e9;
    if (!last && value >= (seconds ? kSecondsLimit : 999.5)) continue;
    if (value < 0.005) return "0";
    return fmt::format("{:.{}f}{}", value, decimals_for(value), unit.name);
  }
  return "?";
}

std::string format_duration_change(double ns) {
  std::string text = format_duration(ns);
  return ns > 0 && text != "0" ? "+" + text : text;
}

std::string format_count(std::uint64_t count) { return with_separators(count); }

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return format_count(count) + " " + std::string(count == 1 ? one : many);
}

std::string format_count_change(double change) {
  const double magnitude = std::fabs(change);
  if (!(magnitude < 1.8e19)) return "?";
  const auto count = static_cast<std::uint64_t>(std::llround(std::min(magnitude, 9e18)));
  if (count == 0) return "0";
  return (change < 0 ? "-" : "+") + with_separators(count);
}

std::string format_percent(double share) {
  if (!std::isfinite(share)) return "?";
  const double percent = share * 100;
  if (std::fabs(percent) >= 9999.5) {
    return format_count_change(percent).substr(percent < 0 ? 0 : 1) + "%";
  }
  return fmt::format("{:.{}f}%", percent, std::fabs(percent) < 99.95 ? 1 : 0);
}

std::string format_percent_change(double share) {
  if (std::isinf(share)) return share > 0 ? "new" : "gone";
  return (share > 0 ? "+" : "") + format_percent(share);
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  auto value = static_cast<double>(bytes);
  const char* unit = "bytes";
  for (const char* next : {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}) {
    if (value < 999.5) break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.{}f} {}", value, decimals_for(value), unit);
}

std::string format_utc(std::uint64_t unix_ns) {
  const DateTime time = split_time(unix_ns);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", time.tm.tm_year + 1900,
                     time.tm.tm_mon + 1, time.tm.tm_mday, time.tm.tm_hour, time.tm.tm_min,
                     time.tm.tm_sec);
}

std::string format_iso8601(std::uint64_t unix_ns) {
  const DateTime time = split_time(unix_ns);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", time.tm.tm_year + 1900,
                     time.tm.tm_mon + 1, time.tm.tm_mday, time.tm.tm_hour, time.tm.tm_min,
                     time.tm.tm_sec, time.fraction_ns);
}

std::optional<double> parse_number(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<double> parse_duration_ns(std::string_view text) {
  static constexpr std::array<Unit, 7> kSuffixes = {
      {{1, "ns"}, {1e3, "us"}, {1e3, "µs"}, {1e6, "ms"}, {1e9, "s"}, {60e9, "m"}, {3600e9, "h"}}};
  text = trimmed(text);
  for (const Unit& unit : kSuffixes) {
    const std::string_view name = unit.name;
    if (!text.ends_with(name)) continue;
    const auto number = parse_number(text.substr(0, text.size() - name.size()));
    if (number) return *number * unit.ns;
  }
  return std::nullopt;
}

std::optional<ParsedRange> parse_time_range(std::string_view text) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) return std::nullopt;
  const std::string_view first = trimmed(text.substr(0, dots));
  const std::string_view second = trimmed(text.substr(dots + 2));
  if (first.empty() && second.empty()) return std::nullopt;
  const auto start = first.empty() ? std::optional<double>(0) : parse_duration_ns(first);
  const auto end = second.empty() ? std::optional<double>(std::numeric_limits<double>::infinity())
                                  : parse_duration_ns(second);
  if (!start || !end || *start < 0 || *end <= *start) return std::nullopt;
  return ParsedRange{*start, *end};
}

}  // namespace spyglass
