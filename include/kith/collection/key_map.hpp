// kith/collection/key_map.hpp — where each key's newest version lives, for keys changed since the last checkpoint.
//
// A key that is not in the map is as the environment has it; a key that maps to nothing was erased.
//
// Thread safety: none; its owner locks.
#pragma once

#include "kith/collection/record_id.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace kith::inline v0::detail {

struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key); }
};

/// Key bytes to the record's id, or to nothing when the key was erased.
using KeyMap = std::unordered_map<std::string, std::optional<RecordId>, KeyHash, std::equal_to<>>;

}  // namespace kith::inline v0::detail
