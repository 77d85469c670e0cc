// kith/index/hnsw/links.hpp — a list of neighbours that one thread changes while others follow it.
//
// A list is a fixed number of slots, the absent ones no_slot at its end. A reader may see a list half rewritten: some
// old links, some new. Each of them is a node that is complete, because a node's own lists are stored before the first
// link to it, and links are stored with release and loaded with acquire. So nobody who searches takes a lock.
//
// Thread safety: any number of readers; writers of one list take turns by NodeLocks.
#pragma once

#include "kith/core/slot.hpp"

#include <cstddef>
#include <cstdint>

namespace kith::inline v0::detail {

// Compiler built-ins, not std::atomic: the lists may lie in a mapped file, where no atomic object was ever made.
inline Slot load_link(const Slot* link) noexcept {
    return __atomic_load_n(link, __ATOMIC_ACQUIRE);
}
inline void store_link(Slot* link, Slot slot) noexcept {
    __atomic_store_n(link, slot, __ATOMIC_RELEASE);
}

/// How many links the list holds.
inline std::size_t count_links(const Slot* links, std::size_t width) noexcept {
    std::size_t count = 0;
    while (count < width && load_link(links + count) != no_slot) ++count;
    return count;
}

/// Replaces the list by the first `count` of `slots`. Requires: count is at most width.
inline void store_links(Slot* links, std::size_t width, const Slot* slots, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) store_link(links + i, slots[i]);
    for (std::size_t i = count; i < width && load_link(links + i) != no_slot; ++i) store_link(links + i, no_slot);
}

/// Holds the one-byte lock of a node. Held for microseconds, and two threads rarely meet at a node: so it spins.
class NodeGuard {
public:
    explicit NodeGuard(std::uint8_t* lock) noexcept : lock_(lock) {
        while (__atomic_exchange_n(lock_, std::uint8_t{1}, __ATOMIC_ACQUIRE) != 0) {
            while (__atomic_load_n(lock_, __ATOMIC_RELAXED) != 0) pause();
        }
    }
    NodeGuard(const NodeGuard&) = delete;
    NodeGuard& operator=(const NodeGuard&) = delete;
    ~NodeGuard() { __atomic_store_n(lock_, std::uint8_t{0}, __ATOMIC_RELEASE); }

private:
    static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ __volatile__("yield");
#endif
    }

    std::uint8_t* lock_;
};

}  // namespace kith::inline v0::detail
