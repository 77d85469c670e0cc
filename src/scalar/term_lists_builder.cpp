// src/scalar/term_lists_builder.cpp — sorts terms, and brings them in order to who writes them.
#include "kith/scalar/term_lists_builder.hpp"

#include "kith/core/assert.hpp"
#include "scalar/term_lists_writer.hpp"

#include <algorithm>

namespace kith::inline v0::detail {

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

TermListsImage TermListsBuilder::finish(Slot universe) {
    sort();
    TermListsWriter writer(universe, postings_.size());
    std::vector<Slot> slots;
    for (std::size_t first = 0; first < postings_.size(); first += slots.size()) {
        slots.clear();
        for (std::size_t at = first; at < postings_.size() && same_term(postings_[first], postings_[at]); ++at) {
            slots.push_back(postings_[at].slot);
        }
        writer.add(term(postings_[first]), slots);
    }
    return writer.finish();
}

std::vector<std::string_view> TermListsBuilder::take_terms() {
    std::vector<std::string_view> terms;
    for (const Posting& posting : postings_) {
        const std::string_view one = term(posting);
        if (terms.empty() || terms.back() != one) terms.push_back(one);
    }
    postings_ = {};
    return terms;
}

}  // namespace kith::inline v0::detail
