// src/scalar/term_lists_writer.cpp — cuts terms into blocks, and writes lists and unions.
#include "scalar/term_lists_writer.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/core/count_bits.hpp"
#include "kith/core/error.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/slot_list.hpp"
#include "kith/scalar/term_lists.hpp"
#include "scalar/term_lists_layout.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::uint32_t block_terms = 32;   // the most terms of a block
constexpr std::uint64_t finest_union = 64;  // a union has at least this part of all postings
constexpr std::uint64_t union_growth = 4;   // and one of the next level so many times as much
constexpr std::uint64_t least_union = 512;  // postings; below, plain lists are as quick

std::size_t shared_bytes(std::string_view a, std::string_view b) noexcept {
    const std::size_t most = std::min(a.size(), b.size());
    return static_cast<std::size_t>(
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first - a.begin());
}

}  // namespace

TermListsWriter::TermListsWriter(Slot universe, std::uint64_t postings)
    : universe_(universe), postings_(postings), finest_(std::max(postings / finest_union, least_union)) {
    for (std::uint64_t target = finest_; target < postings; target *= union_growth) {
        levels_.push_back({target, {}, 0, std::vector<std::uint64_t>(words_of(universe))});
    }
}

void TermListsWriter::add(std::string_view term, std::span<const Slot> slots) {
    KITH_ASSERT(!slots.empty() && slots.back() < universe_);
    if (terms_count_ == std::numeric_limits<std::uint32_t>::max()) {
        raise(Errc::limit_exceeded, "one field of a segment has more than 4294967295 different values");
    }
    const bool full = terms_in_block_ == block_terms || block_.postings + slots.size() > finest_;
    if (terms_in_block_ == 0 || full) begin_block();
    const std::size_t shared = shared_bytes(before_, term);
    ByteWriter terms(terms_);
    terms.varint(shared);
    terms.sized(term.substr(shared));
    terms.varint(slots.size());
    if (slots.size() >= long_list) {
        const std::size_t offset = lists_.size();
        append_slot_list(slots, lists_);
        note_list(longs_, offset, slots.size());
        ++longs_count_;
    } else {
        ByteWriter shorts(shorts_);
        for (const Slot slot : slots) shorts.u32(slot);
    }
    if (!levels_.empty()) {
        for (const Slot slot : slots) levels_.front().words[slot / 64] |= std::uint64_t{1} << (slot % 64);
    }
    ++terms_count_;
    ++terms_in_block_;
    before_ = term;
    added_ += slots.size();
    block_.postings += slots.size();
}

void TermListsWriter::begin_block() {
    end_block();
    note_start();
    block_ = {block_.end_block, block_.end_block + 1, 0};
    terms_in_block_ = 0;
    before_ = {};
    if (!levels_.empty()) make_room(0);
}

void TermListsWriter::end_block() {
    if (terms_in_block_ > 0 && !levels_.empty()) join(0, block_, {});
}

/// Ends the run of a level when it has enough: what comes next is of another.
void TermListsWriter::make_room(std::size_t level) {
    if (levels_[level].joined > 0 && levels_[level].run.postings >= levels_[level].target) end_run(level);
}

/// Adds a run of the level below, whose bits are `words`; those of a block are there already.
/// Requires: there is room.
void TermListsWriter::join(std::size_t level, const Run& run, std::span<const std::uint64_t> words) {
    Level& here = levels_[level];
    if (here.joined++ == 0) {
        here.run = run;
    } else {
        here.run.end_block = run.end_block;
        here.run.postings += run.postings;
    }
    for (std::size_t word = 0; word < words.size(); ++word) here.words[word] |= words[word];
}

void TermListsWriter::end_run(std::size_t level) {
    Level& here = levels_[level];
    if (here.joined == 0) return;
    if (here.joined > 1 && here.run.postings >= least_union) add_union(here);
    if (level + 1 < levels_.size()) {
        make_room(level + 1);
        join(level + 1, here.run, here.words);
    }
    std::fill(here.words.begin(), here.words.end(), std::uint64_t{0});
    here.joined = 0;
}

void TermListsWriter::add_union(const Level& level) {
    const std::size_t slots = count_bits(level.words);
    const std::size_t offset = lists_.size();
    append_slot_list(std::span<const std::uint64_t>(level.words), lists_);
    Union made{level.run, {}};
    note_list(made.entry, offset, slots);
    ByteWriter writer(made.entry);
    writer.u32(level.run.first_block);
    writer.u32(level.run.end_block);
    unions_.push_back(std::move(made));
}

/// Where a list stands that ends with the last byte, and how many slots it has.
void TermListsWriter::note_list(std::string& out, std::size_t offset, std::size_t slots) const {
    ByteWriter writer(out);
    writer.u64(offset);
    writer.u32(static_cast<std::uint32_t>(lists_.size() - offset));
    writer.u32(static_cast<std::uint32_t>(slots));
}

void TermListsWriter::note_start() {
    ByteWriter writer(directory_);
    writer.u64(terms_.size());
    writer.u64(shorts_.size() / sizeof(Slot));
    writer.u64(added_);
    writer.u32(terms_count_);
    writer.u32(longs_count_);
}

TermListsImage TermListsWriter::finish() {
    end_block();
    note_start();
    for (std::size_t level = 0; level < levels_.size(); ++level) end_run(level);
    KITH_ASSERT(added_ == postings_);
    std::sort(unions_.begin(), unions_.end(), [](const Union& a, const Union& b) {
        if (a.run.first_block != b.run.first_block) return a.run.first_block < b.run.first_block;
        return a.run.end_block > b.run.end_block;
    });
    std::string header;
    ByteWriter writer(header);
    writer.u32(terms_count_);
    writer.u32(block_.end_block);
    writer.u64(postings_);
    writer.u64(shorts_.size() / sizeof(Slot));
    writer.u32(longs_count_);
    writer.u32(static_cast<std::uint32_t>(unions_.size()));
    writer.u64(terms_.size());
    writer.u64(lists_.size());
    header.resize(lists_header_bytes, '\0');
    std::string unions;
    for (const Union& one : unions_) unions += one.entry;
    return {{std::move(header), std::move(directory_), std::move(longs_), std::move(unions), std::move(shorts_),
             std::move(terms_), std::move(lists_)}};
}

}  // namespace kith::inline v0::detail
