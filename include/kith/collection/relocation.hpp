// kith/collection/relocation.hpp — the way from where the key map still leads to where a merge in memory took a record.
//
// The map of all keys is not rewritten at once, for readers would wait for it: a merge shows its segment together with a
// relocation, and then puts one key after the other right.
//
// Thread safety: immutable once made.
#pragma once

#include "kith/collection/merged_segments.hpp"
#include "kith/collection/record_id.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace kith::inline v0::detail {

class Relocation {
public:
    /// Leads everywhere to where it is.
    Relocation() = default;

    /// From the parts of `merged` to its segment; takes their slots, and leaves the rest.
    explicit Relocation(MergedSegments& merged) {
        if (merged.segment == nullptr) return;
        to_ = merged.segment->id();
        parts_.reserve(merged.parts.size());
        for (MovedSegment& part : merged.parts) parts_.push_back({part.from->id(), std::move(part.to)});
    }

    /// Where the record is that `id` was given to.
    [[nodiscard]] RecordId operator()(RecordId id) const noexcept {
        for (const Part& part : parts_) {
            if (part.from == id.segment && part.to[id.slot] != no_slot) return {to_, part.to[id.slot]};
        }
        return id;
    }

private:
    struct Part {
        std::uint32_t from = 0;
        std::vector<Slot> to;  // by slot of `from`: the slot in the new segment, or no_slot
    };

    std::uint32_t to_ = 0;
    std::vector<Part> parts_;
};

}  // namespace kith::inline v0::detail
