// kith/query/condition_cache.hpp — conditions in text that were read lately, so that they need not be read again.
//
// Reading costs 15 times a look-up and a copy of the tree (0.3 to 2 µs, against 0.02 to 0.13). Conditions with
// placeholders are not kept, for their trees hold the values; long ones neither, so the memory stays below a megabyte
// or so.
//
// Thread safety: any number of threads. Nobody waits: whoever finds another thread inside reads the text itself.
#pragma once

#include "kith/query/expression.hpp"

#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace kith::inline v0::detail {

/// The trees of texts about one record type, least recently used first out.
class ConditionCache {
public:
    explicit ConditionCache(std::size_t capacity = 128) : capacity_(capacity) {}

    /// The tree of `text`: a copy of the one that is kept, or what `read` makes of it.
    /// Throws: what `read` raises; nothing is kept then.
    template <class Read>
    [[nodiscard]] Expression get(std::string_view text, Read&& read) {
        if (text.size() > longest) return read();
        if (const std::unique_lock lock(mutex_, std::try_to_lock); lock.owns_lock()) {
            if (const auto found = places_.find(text); found != places_.end()) {
                kept_.splice(kept_.begin(), kept_, found->second);
                return found->second->tree;
            }
        }
        Expression tree = read();
        if (const std::unique_lock lock(mutex_, std::try_to_lock); lock.owns_lock()) keep(text, tree);
        return tree;
    }

    /// How many are kept.
    [[nodiscard]] std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return kept_.size();
    }

private:
    static constexpr std::size_t longest = 1024;

    struct Kept {
        std::string text;
        Expression tree;
    };

    void keep(std::string_view text, const Expression& tree) {
        if (capacity_ == 0 || places_.contains(text)) return;
        if (kept_.size() == capacity_) {
            places_.erase(kept_.back().text);
            kept_.pop_back();
        }
        kept_.push_front({std::string(text), tree});
        places_.emplace(kept_.front().text, kept_.begin());
    }

    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::list<Kept> kept_;                                                    // lately used first
    std::unordered_map<std::string_view, std::list<Kept>::iterator> places_;  // views the texts in kept_
};

}  // namespace kith::inline v0::detail
