// SPDX-License-Identifier: Apache-2.0
//
// Reads the JSON files of Debian's iso-codes package with nlohmann-json, builds an index of names
// and writes a catalogue. An ordinary program: nothing in it knows of Spyglass.
//
// usage: json_catalogue ROUNDS [pretty] [FOLDER]
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace catalogue {

using nlohmann::json;

struct Entry {
  std::string code;
  std::string name;
};

std::vector<std::filesystem::path> list_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".json" && file.path().filename().string().starts_with("iso_")) {
      files.push_back(file.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

json read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  return json::parse(file);
}

std::string code_of(const json& item) {
  for (const char* key : {"alpha_3", "alpha_4", "alpha_2", "code"}) {
    if (item.contains(key)) return item[key].get<std::string>();
  }
  return {};
}

std::vector<Entry> collect_entries(const json& document) {
  std::vector<Entry> entries;
  for (const auto& [standard, items] : document.items()) {
    for (const json& item : items) {
      if (item.contains("name"))
        entries.push_back({code_of(item), item["name"].get<std::string>()});
    }
  }
  return entries;
}

json index_by_initial(const std::vector<Entry>& entries) {
  std::map<std::string, std::vector<std::string>> index;
  for (const Entry& entry : entries) {
    index[entry.name.substr(0, 1)].push_back(entry.code);
  }
  json result = json::object();
  for (const auto& [initial, codes] : index) {
    if (static_cast<unsigned char>(initial[0]) < 0x80) result[initial] = codes;
  }
  return result;
}

std::size_t write_catalogue(const json& index, bool pretty) {
  return index.dump(pretty ? 2 : -1).size();
}

std::size_t one_round(const std::vector<std::filesystem::path>& files, bool pretty) {
  std::size_t written = 0;
  for (const auto& file : files) {
    written += write_catalogue(index_by_initial(collect_entries(read_file(file))), pretty);
  }
  return written;
}

}  // namespace catalogue

int main(int argc, char** argv) {
  const long rounds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 1;
  const bool pretty = argc > 2 && std::string(argv[2]) == "pretty";
  const char* folder = argc > 3 ? argv[3] : "/usr/share/iso-codes/json";

  std::error_code missing;
  if (!std::filesystem::is_directory(folder, missing)) {
    std::fprintf(stderr, "json_catalogue: no folder '%s' (Debian package iso-codes)\n", folder);
    return 1;
  }
  const auto files = catalogue::list_files(folder);
  std::size_t written = 0;
  for (long i = 0; i < rounds; ++i) {
    written += catalogue::one_round(files, pretty);
  }
  std::printf("%zu files, %ld rounds, %zu bytes of catalogue\n", files.size(), rounds, written);
}
