// tests/fuzz/all_targets.hpp — every target there is.
#pragma once

#include "fuzz/target.hpp"

#include <array>

namespace kith_fuzz {

inline constexpr std::array all_targets{
    &batch_target,  &columns_target,      &condition_target,   &identity_target, &images_target,
    &keys_target,   &lmdb_file_target,    &log_target,         &row_target,      &scalar_index_target,
    &schema_target, &segment_file_target, &state_record_target};

}  // namespace kith_fuzz
