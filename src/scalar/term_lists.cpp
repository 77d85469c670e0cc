// src/scalar/term_lists.cpp — reads sorted terms and their lists where they lie.
#include "kith/scalar/term_lists.hpp"

#include "kith/core/bytes.hpp"
#include "kith/core/error.hpp"
#include "kith/scalar/slot_list.hpp"
#include "scalar/term_lists_layout.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

namespace kith::inline v0::detail {

namespace {

/// The next `count` × `each` bytes; nothing when they are not there.
std::optional<std::string_view> section(ByteReader& reader, std::uint64_t count, std::uint64_t each) noexcept {
    std::string_view bytes;
    if (count > reader.remaining() / each) return std::nullopt;
    static_cast<void>(reader.bytes(static_cast<std::size_t>(count * each), bytes));
    return bytes;
}

}  // namespace

void TermLists::raise_damaged(const std::string& what) {
    raise(Errc::corrupt, "a table of terms is damaged: " + what);
}

TermLists::TermLists(std::string_view image, Slot universe) : universe_(universe) {
    ByteReader reader(image);
    std::uint64_t shorts = 0;
    std::uint64_t term_bytes = 0;
    std::uint64_t list_bytes = 0;
    std::uint32_t longs = 0;
    std::string_view zeros;
    const bool whole = reader.u32(terms_) && reader.u32(blocks_) && reader.u64(postings_) && reader.u64(shorts) &&
                       reader.u32(longs) && reader.u32(union_count_) && reader.u64(term_bytes) &&
                       reader.u64(list_bytes) && reader.bytes(lists_header_bytes - reader.offset(), zeros);
    if (!whole) raise_damaged("it ends within its header");
    const auto take = [&](std::uint64_t count, std::uint64_t each, std::string_view& into) {
        const auto bytes = section(reader, count, each);
        if (!bytes) raise_damaged("it ends at byte " + std::to_string(image.size()) + ", before its parts do");
        into = *bytes;
    };
    take(std::uint64_t{blocks_} + 1, directory_entry_bytes, directory_);
    take(longs, long_entry_bytes, longs_);
    take(union_count_, union_entry_bytes, unions_);
    take(shorts, sizeof(Slot), shorts_);
    take(term_bytes, 1, term_bytes_);
    take(list_bytes, 1, lists_);
    if (reader.remaining() != 0) raise_damaged("bytes stand behind its last part");
    if (start(blocks_).term != terms_ || start(blocks_).postings != postings_ || start(0).term != 0 ||
        blocks_ > terms_) {
        raise_damaged("its directory counts other terms than its header");
    }
}

TermPlace TermLists::start(std::uint32_t block) const {
    TermPlace place{.block = block};
    if (directory_.empty()) return place;
    std::uint64_t terms_at = 0;
    ByteReader reader(directory_.substr(std::size_t{block} * directory_entry_bytes, directory_entry_bytes));
    const bool whole = reader.u64(terms_at) && reader.u64(place.shorts) && reader.u64(place.postings) &&
                       reader.u32(place.term) && reader.u32(place.longs);
    if (!whole || place.term > terms_ || place.postings > postings_) {
        raise_damaged("block " + std::to_string(block) + " of its directory counts more than there is");
    }
    return place;
}

std::string_view TermLists::block_terms(std::uint32_t block) const {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    ByteReader first(directory_.substr(std::size_t{block} * directory_entry_bytes, sizeof(begin)));
    ByteReader next(directory_.substr((std::size_t{block} + 1) * directory_entry_bytes, sizeof(end)));
    if (!first.u64(begin) || !next.u64(end) || begin > end || end > term_bytes_.size()) {
        raise_damaged("the terms of block " + std::to_string(block) + " are not where its directory says");
    }
    return term_bytes_.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

std::string_view TermLists::first_term(std::uint32_t block) const {
    ByteReader reader(block_terms(block));
    std::uint64_t shared = 0;
    std::string_view term;
    if (!reader.varint(shared) || shared != 0 || !reader.sized(term)) {
        raise_damaged("block " + std::to_string(block) + " has no first term");
    }
    return term;
}

std::uint32_t TermLists::block_of(std::string_view term) const {
    std::uint32_t first = 0;
    for (std::uint32_t left = blocks_; left > 1;) {
        const std::uint32_t half = left / 2;
        if (first_term(first + half) <= term) {
            first += half;
            left -= half;
        } else {
            left = half;
        }
    }
    return first;
}

TermPlace TermLists::bound(std::string_view term, bool above) const {
    if (blocks_ == 0) return {};
    const std::uint32_t block = block_of(term);
    TermScan scan(*this, block);
    while (scan.next()) {
        if (scan.place().block != block) break;
        if (above ? scan.term() > term : scan.term() >= term) return scan.place();
    }
    return start(block + 1);
}

std::uint32_t TermLists::block_of(std::uint32_t term) const {
    std::uint32_t first = 0;
    for (std::uint32_t left = blocks_; left > 1;) {
        const std::uint32_t half = left / 2;
        if (start(first + half).term <= term) {
            first += half;
            left -= half;
        } else {
            left = half;
        }
    }
    return first;
}

TermScan TermLists::numbered(std::uint32_t term) const {
    TermScan scan(*this, block_of(term));
    scan.seek(term);
    return scan;
}

std::optional<TermScan> TermLists::find(std::string_view term) const {
    if (blocks_ == 0) return std::nullopt;
    TermScan scan(*this, block_of(term));
    const std::uint32_t block = scan.after().block;
    while (scan.next() && scan.place().block == block && scan.term() <= term) {
        if (scan.term() == term) return scan;
    }
    return std::nullopt;
}

TermScan::TermScan(const TermLists& lists, std::uint32_t block) : lists_(&lists) {
    enter(block);
}

void TermScan::enter(std::uint32_t block) {
    after_ = lists_->start(block);
    left_ = 0;
    if (block >= lists_->blocks_) return;
    const std::uint32_t end = lists_->start(block + 1).term;
    if (end <= after_.term)
        TermLists::raise_damaged("block " + std::to_string(block) + " of its directory has no term");
    left_ = end - after_.term;
    bytes_ = lists_->block_terms(block);
    term_.clear();
}

bool TermScan::next() {
    if (left_ == 0) return false;
    ByteReader reader(bytes_);
    std::uint64_t shared = 0;
    std::uint64_t slots = 0;
    std::string_view rest;
    if (!reader.varint(shared) || shared > term_.size() || !reader.sized(rest) || !reader.varint(slots) || slots == 0 ||
        slots > lists_->universe_) {
        TermLists::raise_damaged("term " + std::to_string(after_.term) + " is not whole");
    }
    term_.resize(static_cast<std::size_t>(shared));
    term_ += rest;
    bytes_.remove_prefix(reader.offset());
    slots_ = static_cast<std::uint32_t>(slots);
    place_ = after_;
    after_.postings += slots;
    ++after_.term;
    if (slots >= long_list) {
        ++after_.longs;
    } else {
        after_.shorts += slots;
    }
    if (--left_ == 0) {
        const TermPlace reached = after_;
        std::string term = std::move(term_);  // which entering a block forgets
        enter(place_.block + 1);
        term_ = std::move(term);
        if (after_.postings != reached.postings || after_.shorts != reached.shorts || after_.longs != reached.longs) {
            TermLists::raise_damaged("block " + std::to_string(place_.block) +
                                     " has other lists than its directory says");
        }
    }
    return true;
}

void TermScan::seek(std::uint32_t term) {
    constexpr std::uint32_t near = 32;  // terms, the most of a block
    if (term - after_.term > near) enter(lists_->block_of(term));
    do {
        if (!next()) TermLists::raise_damaged("term " + std::to_string(term) + " is not there");
    } while (place_.term < term);
}

std::vector<Slot> TermLists::slots(const TermScan& scan) const {
    std::vector<Slot> found;
    if (scan.slots() < long_list) {
        if (scan.place().shorts + scan.slots() > shorts_.size() / sizeof(Slot))
            raise_damaged("a short list is not there");
        ByteReader reader(shorts_.substr(static_cast<std::size_t>(scan.place().shorts) * sizeof(Slot)));
        found.resize(scan.slots());
        for (Slot& slot : found) static_cast<void>(reader.u32(slot));
    } else {
        std::vector<std::uint64_t> words(words_of(universe_));
        add(scan, words);
        for_each_bit(words, [&](Slot slot) { found.push_back(slot); });
    }
    const bool ascending = std::adjacent_find(found.begin(), found.end(), std::greater_equal<>()) == found.end();
    if (!ascending || found.size() != scan.slots() || found.back() >= universe_) {
        raise_damaged("the list of term " + std::to_string(scan.place().term) + " is not of " +
                      std::to_string(scan.slots()) + " slots in order");
    }
    return found;
}

void TermLists::add(const TermScan& scan, std::span<std::uint64_t> words) const {
    TermPlace last = scan.place();
    if (scan.slots() >= long_list) {
        ++last.longs;
    } else {
        last.shorts += scan.slots();
    }
    add_lists(scan.place(), last, words);
}

void TermLists::add_range(const TermPlace& first, const TermPlace& last, std::span<std::uint64_t> words) const {
    if (last.term <= first.term) return;
    if (first.block == last.block) return add_lists(first, last, words);
    std::uint32_t block = first.block;
    if (first.term != start(block).term) add_lists(first, start(++block), words);
    add_blocks(block, last.block, words);
    if (last.term != start(last.block).term) add_lists(start(last.block), last, words);
}

void TermLists::add_blocks(std::uint32_t first, std::uint32_t end, std::span<std::uint64_t> words) const {
    std::uint32_t plain = first;  // blocks from here to `block` are in no union that was taken
    std::uint32_t number = first_union_from(first);
    for (std::uint32_t block = first; block < end;) {
        Union next{.first = end};
        for (; number < union_count_; ++number) {
            next = union_at(number);
            if (next.first >= end || (next.first >= block && next.end <= end)) break;
        }
        if (number == union_count_ || next.first >= end) break;
        if (next.end <= next.first) raise_damaged("union " + std::to_string(number) + " is of no block");
        if (plain < next.first) add_lists(start(plain), start(next.first), words);
        add_list(next.offset, next.bytes, words);
        block = plain = next.end;
    }
    if (plain < end) add_lists(start(plain), start(end), words);
}

TermLists::Union TermLists::union_at(std::uint32_t number) const {
    Union found;
    ByteReader reader(unions_.substr(std::size_t{number} * union_entry_bytes));
    if (!reader.u64(found.offset) || !reader.u32(found.bytes) || !reader.u32(found.slots) || !reader.u32(found.first) ||
        !reader.u32(found.end)) {
        raise_damaged("union " + std::to_string(number) + " is not there");
    }
    return found;
}

std::uint32_t TermLists::first_union_from(std::uint32_t block) const {
    std::uint32_t first = 0;
    for (std::uint32_t left = union_count_; left > 0;) {
        const std::uint32_t half = left / 2;
        if (union_at(first + half).first < block) {
            first += half + 1;
            left -= half + 1;
        } else {
            left = half;
        }
    }
    return first;
}

void TermLists::add_lists(const TermPlace& first, const TermPlace& last, std::span<std::uint64_t> words) const {
    const std::uint64_t short_count = shorts_.size() / sizeof(Slot);
    const std::uint64_t long_count = longs_.size() / long_entry_bytes;
    if (first.shorts > last.shorts || last.shorts > short_count || first.longs > last.longs ||
        last.longs > long_count) {
        raise_damaged("the lists of blocks " + std::to_string(first.block) + " to " + std::to_string(last.block) +
                      " are not where its directory says");
    }
    const char* bytes = shorts_.data() + static_cast<std::size_t>(first.shorts) * sizeof(Slot);
    for (std::uint64_t left = last.shorts - first.shorts; left > 0; --left, bytes += sizeof(Slot)) {
        Slot slot = 0;
        std::memcpy(&slot, bytes, sizeof(slot));
        slot = little_endian(slot);
        if (slot >= universe_) raise_damaged("it names slot " + std::to_string(slot) + ", which does not exist");
        words[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
    for (std::uint32_t at = first.longs; at < last.longs; ++at) {
        ByteReader entry(longs_.substr(std::size_t{at} * long_entry_bytes));
        std::uint64_t offset = 0;
        std::uint32_t size = 0;
        if (!entry.u64(offset) || !entry.u32(size)) raise_damaged("a long list is not there");
        add_list(offset, size, words);
    }
}

void TermLists::add_list(std::uint64_t offset, std::uint64_t bytes, std::span<std::uint64_t> words) const {
    if (offset > lists_.size() || bytes > lists_.size() - offset) raise_damaged("a long list ends behind the table");
    add_slot_list(lists_.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(bytes)), universe_, words);
}

}  // namespace kith::inline v0::detail
