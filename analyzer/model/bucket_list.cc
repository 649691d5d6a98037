// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/bucket_list.h"

#include <algorithm>

namespace spyglass::model {

void add_buckets(const std::vector<format::BucketCount>& from,
                 std::vector<format::BucketCount>& into) {
  if (into.empty()) {
    into = from;
    return;
  }
  std::size_t at = 0;
  for (const format::BucketCount& bucket : from) {
    while (at < into.size() && into[at].bucket < bucket.bucket) {
      ++at;
    }
    if (at < into.size() && into[at].bucket == bucket.bucket) {
      into[at].count += bucket.count;
    } else {
      into.insert(into.begin() + static_cast<std::ptrdiff_t>(at), bucket);
    }
  }
}

}  // namespace spyglass::model
