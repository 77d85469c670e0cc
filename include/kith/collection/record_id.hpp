// kith/collection/record_id.hpp — where one version of a record lives.
#pragma once

#include "kith/core/slot.hpp"

#include <compare>
#include <cstdint>

namespace kith::inline v0::detail {

/// A segment and a slot in it. A record that is replaced gets a new id; an id is never used twice.
struct RecordId {
    std::uint32_t segment = 0;
    Slot slot = no_slot;

    /// One number that orders as (segment, slot) does. On disk: never change.
    [[nodiscard]] constexpr std::uint64_t packed() const noexcept {
        return (static_cast<std::uint64_t>(segment) << 32) | slot;
    }

    static constexpr RecordId unpack(std::uint64_t packed) noexcept {
        return {static_cast<std::uint32_t>(packed >> 32), static_cast<Slot>(packed)};
    }

    friend constexpr auto operator<=>(const RecordId&, const RecordId&) noexcept = default;
};

}  // namespace kith::inline v0::detail
