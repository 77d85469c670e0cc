// kith/scalar/term_lists_builder.hpp — collects terms and slots, and writes them as scalar/term_lists.hpp reads them.
//
// Thread safety: none; one thread fills one.
#pragma once

#include "kith/core/byte_sink.hpp"
#include "kith/core/slot.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0::detail {

/// The image that TermLists reads, in parts.
struct TermListsImage {
    std::array<std::string, 7> parts;  // one after the other

    [[nodiscard]] std::uint64_t bytes() const noexcept {
        std::uint64_t bytes = 0;
        for (const std::string& part : parts) bytes += part.size();
        return bytes;
    }

    void write(const ByteSink& sink) const {
        for (const std::string& part : parts) sink(part.data(), part.size());
    }
};

class TermListsBuilder {
public:
    /// Notes that `slot` has `term`; in any order, and more than once does no harm.
    void add(std::string_view term, Slot slot);

    /// The image, of slots that are below `universe`. Nothing is added then.
    /// Throws: Errc::limit_exceeded when there are 2^32 terms.
    /// Cost: a sort; memory for the image, and some bits a slot.
    [[nodiscard]] TermListsImage finish(Slot universe);

    /// The terms in order; they live as long as this, which lets go of all else. Requires: finish() was called.
    [[nodiscard]] std::vector<std::string_view> take_terms();

    /// Memory that it holds.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return postings_.capacity() * sizeof(Posting) + bytes_.capacity();
    }

private:
    /// A slot that has a term. Most are told apart by their first 8 bytes, which stand here.
    struct Posting {
        std::uint64_t head = 0;    // those bytes, highest first, zeros behind
        std::uint64_t offset = 0;  // where the term stands in bytes_
        std::uint32_t size = 0;    // of the term
        Slot slot = 0;
    };

    [[nodiscard]] std::string_view term(const Posting& posting) const noexcept {
        return std::string_view(bytes_).substr(static_cast<std::size_t>(posting.offset), posting.size);
    }
    [[nodiscard]] bool same_term(const Posting& a, const Posting& b) const noexcept {
        return a.head == b.head && a.size == b.size && (a.size <= sizeof(a.head) || term(a) == term(b));
    }
    void sort();

    std::vector<Posting> postings_;
    std::string bytes_;  // the terms, as they came; one that comes twice in a row stands here once
};

}  // namespace kith::inline v0::detail
