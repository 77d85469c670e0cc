// kith/scalar/scalar_index_builder.hpp — makes the index of one field of a segment that is sealed.
//
// Thread safety: none; one thread fills one.
#pragma once

#include "kith/core/byte_sink.hpp"
#include "kith/core/slot.hpp"
#include "kith/scalar/term.hpp"
#include "kith/scalar/term_lists_builder.hpp"
#include "kith/schema/field.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// What an index of texts finds without looking at all of them.
struct ScalarIndexParams {
    bool suffixes = false;    ///< texts by their end, for four bytes a distinct text
    bool substrings = false;  ///< texts by what is in them, for some two bytes a byte of distinct text
};

class ScalarIndexBuilder {
public:
    /// Requires: the kind is no vector; params ask for nothing unless it is text.
    ScalarIndexBuilder(FieldKind kind, bool list, ScalarIndexParams params = {});

    /// Adds the next slot, from 0 on. Requires: the terms are of the field's kind.
    /// Cost: memory for the terms, and 24 bytes a slot and term.
    void append(const MemberTerms& member);

    [[nodiscard]] Slot size() const noexcept { return slots_; }

    /// Memory that it holds.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return terms_.bytes() + lengths_.bytes() + nulls_.capacity() * sizeof(Slot);
    }

    /// Writes the image that ScalarIndex reads. The builder is used up.
    /// Throws: Errc::limit_exceeded when there are 2^32 different terms; what `sink` throws.
    /// Cost: a sort of all terms; memory for the image beside them.
    void finish(const ByteSink& sink);

private:
    FieldKind kind_;
    bool list_;
    ScalarIndexParams params_;
    Slot slots_ = 0;
    Slot with_term_ = 0;
    std::uint32_t most_terms_ = 0;
    TermListsBuilder terms_;
    TermListsBuilder lengths_;
    std::vector<Slot> nulls_;
    std::vector<std::string_view> distinct_;  // scratch: the terms of one slot
};

}  // namespace kith::inline v0::detail
