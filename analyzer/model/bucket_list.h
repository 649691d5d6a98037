// SPDX-License-Identifier: Apache-2.0
// bucket_list.h - sums of sparse histograms.
#pragma once

#include <vector>

#include "format/records.h"

namespace spyglass::model {

// Adds `from` to `into`, both ascending by bucket. Usually every bucket is there already.
void add_buckets(const std::vector<format::BucketCount>& from,
                 std::vector<format::BucketCount>& into);

}  // namespace spyglass::model
