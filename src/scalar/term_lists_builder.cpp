// src/scalar/term_lists_builder.cpp — sorts terms, cuts them into blocks and writes lists and unions.
#include "kith/scalar/term_lists_builder.hpp"

#include "kith/core/assert.hpp"
#include "kith/core/bytes.hpp"
#include "kith/scalar/question.hpp"
#include "kith/scalar/slot_list.hpp"
#include "kith/scalar/term_lists.hpp"
#include "scalar/term_lists_layout.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace kith::inline v0::detail {

namespace {

constexpr std::uint32_t block_terms = 32;   // the most terms of a block
constexpr std::uint64_t finest_union = 64;  // a union has at least this part of all postings
constexpr std::uint64_t union_growth = 4;   // and one of the next level so many times as much
constexpr std::uint64_t least_union = 512;  // postings; below, plain lists are as quick

/// A run of blocks and of the postings in them.
struct Run {
    std::uint32_t first_block = 0;
    std::uint32_t end_block = 0;
    std::size_t first_posting = 0;
    std::size_t end_posting = 0;

    [[nodiscard]] std::size_t postings() const noexcept { return end_posting - first_posting; }
};

/// Joins neighbours until each run has `target` postings.
std::vector<Run> joined(const std::vector<Run>& runs, std::uint64_t target) {
    std::vector<Run> made;
    for (const Run& run : runs) {
        if (!made.empty() && made.back().postings() < target) {
            made.back().end_block = run.end_block;
            made.back().end_posting = run.end_posting;
        } else {
            made.push_back(run);
        }
    }
    return made;
}

std::size_t shared_bytes(std::string_view a, std::string_view b) noexcept {
    const std::size_t most = std::min(a.size(), b.size());
    return static_cast<std::size_t>(
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first - a.begin());
}

/// The parts of an image, while terms come in their order.
class PartsWriter {
public:
    /// Requires: `postings` is the number of all slots of all terms.
    explicit PartsWriter(std::uint64_t postings)
        : postings_(postings), finest_(std::max(postings / finest_union, least_union)) {}

    [[nodiscard]] std::uint64_t finest() const noexcept { return finest_; }
    [[nodiscard]] const std::vector<Run>& blocks() const noexcept { return blocks_; }

    /// `term` must live until the next one is added.
    void add(std::string_view term, std::span<const Slot> slots, std::size_t first_posting) {
        const std::size_t end_posting = first_posting + slots.size();
        if (terms_in_block_ == block_terms || end_posting - blocks_.back().first_posting > finest_) {
            note_start(first_posting);
            const auto number = static_cast<std::uint32_t>(blocks_.size());
            blocks_.push_back({number, number + 1, first_posting, first_posting});
            terms_in_block_ = 0;
            before_ = {};
        }
        const std::size_t shared = shared_bytes(before_, term);
        ByteWriter terms(terms_);
        terms.varint(shared);
        terms.sized(term.substr(shared));
        terms.varint(slots.size());
        if (slots.size() >= long_list) {
            const std::size_t offset = lists_.size();
            append_slot_list(slots, lists_);
            write_list(ByteWriter(longs_), offset, slots.size());
            ++longs_count_;
        } else {
            ByteWriter shorts(shorts_);
            for (const Slot slot : slots) shorts.u32(slot);
        }
        ++terms_count_;
        ++terms_in_block_;
        before_ = term;
        blocks_.back().end_posting = end_posting;
    }

    /// Requires: no term follows.
    void end() { note_start(static_cast<std::size_t>(postings_)); }

    void add_union(const Run& run, std::span<const std::uint64_t> words, std::size_t slots) {
        const std::size_t offset = lists_.size();
        append_slot_list(words, lists_);
        Union made{run, {}};
        ByteWriter writer(made.entry);
        write_list(writer, offset, slots);
        writer.u32(run.first_block);
        writer.u32(run.end_block);
        unions_.push_back(std::move(made));
    }

    [[nodiscard]] std::string image() {
        std::sort(unions_.begin(), unions_.end(), [](const Union& a, const Union& b) {
            if (a.run.first_block != b.run.first_block) return a.run.first_block < b.run.first_block;
            return a.run.end_block > b.run.end_block;
        });
        std::string made;
        ByteWriter writer(made);
        writer.u32(terms_count_);
        writer.u32(static_cast<std::uint32_t>(blocks_.size()));
        writer.u64(postings_);
        writer.u64(shorts_.size() / sizeof(Slot));
        writer.u32(longs_count_);
        writer.u32(static_cast<std::uint32_t>(unions_.size()));
        writer.u64(terms_.size());
        writer.u64(lists_.size());
        made.resize(lists_header_bytes, '\0');
        made += directory_;
        made += longs_;
        for (const Union& one : unions_) made += one.entry;
        made += shorts_;
        made += terms_;
        made += lists_;
        return made;
    }

private:
    struct Union {
        Run run;
        std::string entry;  // as it is stored
    };

    /// Where a list stands that ends with the last byte, and how many slots it has.
    void write_list(ByteWriter writer, std::size_t offset, std::size_t slots) const {
        writer.u64(offset);
        writer.u32(static_cast<std::uint32_t>(lists_.size() - offset));
        writer.u32(static_cast<std::uint32_t>(slots));
    }

    void note_start(std::size_t posting) {
        ByteWriter writer(directory_);
        writer.u64(terms_.size());
        writer.u64(shorts_.size() / sizeof(Slot));
        writer.u64(posting);
        writer.u32(terms_count_);
        writer.u32(longs_count_);
    }

    std::uint64_t postings_;
    std::uint64_t finest_;  // postings that make a union worth its bytes
    std::string directory_, longs_, shorts_, terms_, lists_;
    std::vector<Run> blocks_;
    std::vector<Union> unions_;
    std::uint32_t terms_count_ = 0;
    std::uint32_t longs_count_ = 0;
    std::uint32_t terms_in_block_ = block_terms;  // so that the first term begins a block
    std::string_view before_;                     // the term before, within its block
};

}  // namespace

void TermListsBuilder::add(std::string_view added, Slot slot) {
    Posting posting{.size = static_cast<std::uint32_t>(added.size()), .slot = slot};
    for (std::size_t at = 0; at < sizeof(posting.head); ++at) {
        posting.head = (posting.head << 8) | (at < added.size() ? static_cast<unsigned char>(added[at]) : 0U);
    }
    if (!postings_.empty() && term(postings_.back()) == added) {
        posting.offset = postings_.back().offset;
    } else {
        posting.offset = bytes_.size();
        bytes_ += added;
    }
    postings_.push_back(posting);
}

void TermListsBuilder::sort() {
    std::sort(postings_.begin(), postings_.end(), [this](const Posting& a, const Posting& b) {
        if (a.head != b.head) return a.head < b.head;
        if (a.size > sizeof(a.head) && b.size > sizeof(b.head)) {
            const int order = term(a).compare(term(b));
            if (order != 0) return order < 0;
        } else if (a.size != b.size) {
            return a.size < b.size;  // equal in 8 bytes, and one of them ends there: it begins the other
        }
        return a.slot < b.slot;
    });
    const auto end = std::unique(postings_.begin(), postings_.end(), [this](const Posting& a, const Posting& b) {
        return a.slot == b.slot && same_term(a, b);
    });
    postings_.erase(end, postings_.end());
}

std::string TermListsBuilder::finish(Slot universe) {
    sort();
    PartsWriter writer(postings_.size());
    std::vector<Slot> slots;
    for (std::size_t first = 0; first < postings_.size(); first += slots.size()) {
        slots.clear();
        for (std::size_t at = first; at < postings_.size() && same_term(postings_[first], postings_[at]); ++at) {
            KITH_ASSERT(postings_[at].slot < universe);
            slots.push_back(postings_[at].slot);
        }
        writer.add(term(postings_[first]), slots, first);
    }
    writer.end();

    std::vector<std::uint64_t> words(words_of(universe));
    std::vector<Run> runs = writer.blocks();
    for (std::uint64_t target = writer.finest(); target < postings_.size() && runs.size() > 1; target *= union_growth) {
        std::vector<Run> level = joined(runs, target);
        std::size_t below = 0;  // the run of the level below with which the present one begins
        for (const Run& run : level) {
            while (runs[below].first_block != run.first_block) ++below;
            if (runs[below].end_block == run.end_block || run.postings() < least_union) continue;
            std::fill(words.begin(), words.end(), std::uint64_t{0});
            std::size_t count = 0;
            for (std::size_t at = run.first_posting; at < run.end_posting; ++at) {
                std::uint64_t& word = words[postings_[at].slot / 64];
                const std::uint64_t bit = std::uint64_t{1} << (postings_[at].slot % 64);
                if ((word & bit) == 0) ++count;
                word |= bit;
            }
            writer.add_union(run, words, count);
        }
        runs = std::move(level);
    }
    postings_ = {};
    bytes_ = {};
    return writer.image();
}

}  // namespace kith::inline v0::detail
