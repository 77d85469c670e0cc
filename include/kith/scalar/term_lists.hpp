// kith/scalar/term_lists.hpp — distinct terms in order, each with the slots that have it, read in place.
//
//   lists     := header; directory; longs; unions; short slots; terms; long lists                          (on disk)
//   header    := u32 terms; u32 blocks; u64 postings; u64 short slots; u32 longs; u32 unions; u64 bytes of the terms;
//                u64 bytes of the long lists; zeros up to byte 64
//   directory := for each block and for the end: u64 where its terms begin; u64 short slots before it;
//                u64 postings before it; u32 terms before it; u32 longs before it
//   longs     := for each term of long_list slots or more: u64 where its list begins; u32 its bytes; u32 its slots
//   unions    := for each: u64 where its list begins; u32 its bytes; u32 its slots; u32 first block; u32 end block;
//                ascending by first block, then descending by end block; two of them nest or are apart
//   short slots := of all other terms, one after the other: u32 each, ascending within a term
//   terms     := for each block its terms: varint bytes shared with the term before (0 for the first of a block),
//                sized rest, varint slots
//   long lists := see scalar/slot_list.hpp
//
// The lists of neighbouring terms stand side by side, and a range of terms is one pass over an array, whatever the
// number of terms. Where it is long it is put together from unions, each one list for a run of blocks. So a range costs
// as its answer. The postings before each block are the cumulative distribution of the terms.
//
// Thread safety: immutable; the bytes must outlive it.
#pragma once

#include "kith/core/slot.hpp"
#include "kith/scalar/question.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

inline constexpr std::uint32_t long_list = 128;  // on disk: the fewest slots of a list that is compressed

/// A place in the order of terms: before one of them, or behind the last.
struct TermPlace {
    std::uint32_t block = 0;
    std::uint32_t term = 0;      // terms before it
    std::uint64_t postings = 0;  // slots of those terms, each as often as it stands in their lists
    std::uint64_t shorts = 0;    // of those, the ones in short lists
    std::uint32_t longs = 0;     // long lists before it
};

class TermLists;

/// Reads terms one after the other.
class TermScan {
public:
    /// Begins with the first term of a block. Requires: there are that many blocks, or one fewer.
    TermScan(const TermLists& lists, std::uint32_t block);

    /// Reads the next term; false behind the last. Throws: Errc::corrupt.
    bool next();

    /// Reads the term with a number. Requires: it is below size(), and was not passed. Throws: Errc::corrupt.
    /// Cost: a step from term to term where it is near, else a binary search.
    void seek(std::uint32_t term);

    // Of the term that was read:

    [[nodiscard]] const std::string& term() const noexcept { return term_; }
    [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
    [[nodiscard]] const TermPlace& place() const noexcept { return place_; }

    /// The place behind it.
    [[nodiscard]] const TermPlace& after() const noexcept { return after_; }

private:
    void enter(std::uint32_t block);

    const TermLists* lists_;
    std::string_view bytes_;  // of the terms of the block that were not read
    std::uint32_t left_ = 0;  // terms of the block that were not read
    std::string term_;
    std::uint32_t slots_ = 0;
    TermPlace place_;
    TermPlace after_;
};

class TermLists {
public:
    /// No terms.
    TermLists() = default;

    /// Throws: Errc::corrupt when the parts of the image do not fill it. What is in them is checked where it is read.
    TermLists(std::string_view image, Slot universe);

    [[nodiscard]] std::uint32_t size() const noexcept { return terms_; }
    [[nodiscard]] std::uint64_t postings() const noexcept { return postings_; }

    // All of these throw Errc::corrupt where they meet bytes that are wrong.

    [[nodiscard]] TermPlace begin() const { return start(0); }
    [[nodiscard]] TermPlace end() const { return start(blocks_); }

    /// The place before the first term that is not below `term`. Cost: a binary search, and a block of terms.
    [[nodiscard]] TermPlace lower_bound(std::string_view term) const { return bound(term, false); }

    /// The place before the first term that is above `term`.
    [[nodiscard]] TermPlace upper_bound(std::string_view term) const { return bound(term, true); }

    /// Reads the term with a number. Requires: it is below size(). Cost: a binary search, and a block of terms.
    [[nodiscard]] TermScan numbered(std::uint32_t term) const;

    /// Reads the term, if it is there.
    [[nodiscard]] std::optional<TermScan> find(std::string_view term) const;

    /// Sets the bits of all slots that have a term from `first` on and before `last`.
    void add_range(const TermPlace& first, const TermPlace& last, std::span<std::uint64_t> words) const;

    /// Sets the bits of the slots of the term that `scan` has read.
    void add(const TermScan& scan, std::span<std::uint64_t> words) const;

    /// The slots of the term that `scan` has read, in order.
    [[nodiscard]] std::vector<Slot> slots(const TermScan& scan) const;

    /// Reads all of it: returns where everything is as it must be. Cost: a few passes over terms, lists and unions.
    void check() const;

private:
    friend class TermScan;

    struct Union {
        std::uint64_t offset = 0;
        std::uint32_t bytes = 0;
        std::uint32_t slots = 0;
        std::uint32_t first = 0;
        std::uint32_t end = 0;
    };

    /// The place where a block begins; that of the end for the number of blocks.
    [[nodiscard]] TermPlace start(std::uint32_t block) const;
    [[nodiscard]] std::string_view block_terms(std::uint32_t block) const;
    [[nodiscard]] std::string_view first_term(std::uint32_t block) const;
    [[nodiscard]] TermPlace bound(std::string_view term, bool above) const;

    /// The last block that begins with a term that is not above `term`, or the first.
    [[nodiscard]] std::uint32_t block_of(std::string_view term) const;

    /// The block that holds the term with a number.
    [[nodiscard]] std::uint32_t block_of(std::uint32_t term) const;
    [[nodiscard]] Union union_at(std::uint32_t number) const;
    [[nodiscard]] std::uint32_t first_union_from(std::uint32_t block) const;

    void add_blocks(std::uint32_t first, std::uint32_t end, std::span<std::uint64_t> words) const;
    void add_lists(const TermPlace& first, const TermPlace& last, std::span<std::uint64_t> words) const;
    void add_list(std::uint64_t offset, std::uint64_t bytes, std::span<std::uint64_t> words) const;

    [[noreturn]] static void raise_damaged(const std::string& what);

    Slot universe_ = 0;
    std::uint32_t terms_ = 0;
    std::uint32_t blocks_ = 0;
    std::uint64_t postings_ = 0;
    std::uint32_t union_count_ = 0;
    std::string_view directory_;  // (blocks_ + 1) entries, or none at all
    std::string_view longs_;
    std::string_view unions_;
    std::string_view shorts_;
    std::string_view term_bytes_;
    std::string_view lists_;
};

}  // namespace kith::inline v0::detail
