// kith/scalar/growing_terms.hpp — terms in order, each with its slots, that one thread adds to while others read.
//
// A skip list: a reader follows links and meets no lock, and a term that was linked stays where it is for good. The
// writer links a new term from below, so that a reader sees all of it or nothing.
//
// Thread safety: one writer; any number of readers.
// Source: W. Pugh, "Skip Lists: A Probabilistic Alternative to Balanced Trees", CACM 33(6), 1990.
#pragma once

#include "kith/core/random.hpp"
#include "kith/core/slot.hpp"
#include "kith/scalar/slot_chain.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

namespace kith::inline v0::detail {

class GrowingTerms {
public:
    /// A term, with its slots and links.
    class Node {
    public:
        [[nodiscard]] std::string_view term() const noexcept { return {term_, term_bytes_}; }
        [[nodiscard]] const SlotChain& slots() const noexcept { return slots_; }

        /// The next term that is on `level`, or null.
        [[nodiscard]] const Node* next(std::size_t level = 0) const noexcept {
            return links()[level].load(std::memory_order_acquire);
        }

    private:
        friend class GrowingTerms;

        [[nodiscard]] std::atomic<Node*>* links() noexcept { return reinterpret_cast<std::atomic<Node*>*>(this + 1); }
        [[nodiscard]] const std::atomic<Node*>* links() const noexcept {
            return reinterpret_cast<const std::atomic<Node*>*>(this + 1);
        }

        const char* term_ = nullptr;
        std::size_t term_bytes_ = 0;
        SlotChain slots_;
    };

    static constexpr std::size_t levels = 12;    // enough for 4^12 terms
    static constexpr std::size_t branching = 4;  // of the terms on a level, one in so many is on the next

    GrowingTerms() : head_(make_node({}, levels)) {}
    GrowingTerms(const GrowingTerms&) = delete;
    GrowingTerms& operator=(const GrowingTerms&) = delete;

    /// Notes that `slot` has `term`. Requires: no slot of the term is above it.
    void add(std::string_view term, Slot slot) {
        std::array<Node*, levels> before{};
        Node* found = head_;
        for (std::size_t level = levels; level-- > 0;) {
            for (Node* next = link(found, level); next != nullptr && next->term() < term; next = link(found, level)) {
                found = next;
            }
            before[level] = found;
        }
        Node* node = link(found, 0);
        if (node != nullptr && node->term() == term) return node->slots_.append(slot, memory_);
        const std::size_t height = random_height();
        node = make_node(term, height);
        node->slots_.append(slot, memory_);
        for (std::size_t level = 0; level < height; ++level) {
            node->links()[level].store(link(before[level], level), std::memory_order_relaxed);
            before[level]->links()[level].store(node, std::memory_order_release);
        }
        size_.fetch_add(1, std::memory_order_relaxed);
    }

    /// Takes back the slots from `end` on; terms that have none left stay. Requires: none of them was published.
    /// Cost: a visit a term.
    void truncate(Slot end) noexcept {
        for (Node* node = link(head_, 0); node != nullptr; node = link(node, 0)) node->slots_.truncate(end);
    }

    /// The node before the first term, on every level. It has no term.
    [[nodiscard]] const Node* head() const noexcept { return head_; }

    /// The last node that is on `level` and whose term is below `term`; the head where there is none.
    [[nodiscard]] const Node* before(std::string_view term, std::size_t level = 0) const noexcept {
        const Node* found = head_;
        for (std::size_t at = levels; at-- > level;) {
            for (const Node* next = found->next(at); next != nullptr && next->term() < term; next = found->next(at)) {
                found = next;
            }
        }
        return found;
    }

    /// The node of a term, or null.
    [[nodiscard]] const Node* find(std::string_view term) const noexcept {
        const Node* const node = before(term)->next();
        return node != nullptr && node->term() == term ? node : nullptr;
    }

    /// How many terms there are, about: some may have no slots.
    [[nodiscard]] std::uint32_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

    /// All memory that is held.
    [[nodiscard]] std::size_t bytes() const noexcept { return memory_.bytes(); }

private:
    static Node* link(Node* node, std::size_t level) noexcept {
        return node->links()[level].load(std::memory_order_relaxed);  // the writer reads what it wrote
    }

    Node* make_node(std::string_view term, std::size_t height) {
        const std::size_t links_bytes = height * sizeof(std::atomic<Node*>);
        auto* const place = static_cast<std::byte*>(memory_.take(sizeof(Node) + links_bytes + term.size()));
        Node* const node = ::new (place) Node;
        for (std::size_t level = 0; level < height; ++level) ::new (node->links() + level) std::atomic<Node*>(nullptr);
        char* const bytes = reinterpret_cast<char*>(place + sizeof(Node) + links_bytes);
        if (!term.empty()) std::memcpy(bytes, term.data(), term.size());
        node->term_ = bytes;
        node->term_bytes_ = term.size();
        return node;
    }

    std::size_t random_height() noexcept {
        std::size_t height = 1;
        while (height < levels && random_.below(branching) == 0) ++height;
        return height;
    }

    PieceMemory memory_;
    SplitMix64 random_{1};
    Node* head_;
    std::atomic<std::uint32_t> size_ = 0;
};

}  // namespace kith::inline v0::detail
