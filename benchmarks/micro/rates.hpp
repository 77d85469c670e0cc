// benchmarks/micro/rates.hpp — how fast rows are read that fit the first cache, the second, and neither.
#pragma once

#include "kith/core/random.hpp"
#include "kith/core/slot.hpp"
#include "kith/distance/cpu.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <numeric>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace micro {

struct Arena {
    const char* name;
    std::size_t bytes;
};
inline constexpr Arena arenas[] = {{"L1", 16 << 10}, {"L2", 512 << 10}, {"memory", 512 << 20}};
inline constexpr std::size_t most_slots_a_call = 32;  // the neighbours of a graph node

/// What is asked for, and what there is to measure it with.
struct Bench {
    std::vector<std::size_t> dims;
    std::string isa;      // empty: every one
    std::string element;  // empty: every one
    double seconds = 0.03;

    const std::byte* memory = nullptr;  // as much as the largest arena, and 64 bytes more
    double bandwidth = 0;               // what one core reads of it in order, in GB/s

    [[nodiscard]] bool wants(std::string_view name) const { return element.empty() || element == name; }

    /// Every instruction set that is here and wanted.
    [[nodiscard]] std::vector<kith::Isa> isas() const {
        std::vector<kith::Isa> found;
        for (const kith::Isa each : kith::all_isas) {
            if (kith::supports(each) && (isa.empty() || isa == kith::name(each))) found.push_back(each);
        }
        return found;
    }
};

/// What the compiler must believe to be used.
inline void keep(const void* pointer) {
    __asm__ volatile("" : : "r"(pointer) : "memory");
}

/// The most GB/s that `read`, which reads `bytes` bytes a call, reached in any of many rounds. Rounds are short, so
/// that some fall between the other programs of a busy machine.
template <class Read>
double best_rate(double seconds, std::size_t bytes, Read read) {
    using Clock = std::chrono::steady_clock;
    constexpr double round_seconds = 5e-3;
    double best = 0, elapsed = 0;
    std::size_t calls = 1;  // a round; grows until asking the clock costs nothing
    for (double total = 0; total < seconds; total += elapsed) {
        const auto start = Clock::now();
        for (std::size_t call = 0; call < calls; ++call) read();
        elapsed = std::chrono::duration<double>(Clock::now() - start).count();
        if (elapsed < round_seconds / 2) {
            calls *= 2;  // and forget the round: what it read may have been in a cache
        } else {
            best = std::max(best, static_cast<double>(calls * bytes) / elapsed);
        }
    }
    return best / 1e9;
}

/// Slots below `count` in random order, at most a million of them.
inline std::vector<kith::Slot> random_slots(std::size_t count) {
    constexpr std::size_t most = 1 << 20;
    std::vector<kith::Slot> slots(count);
    std::iota(slots.begin(), slots.end(), kith::Slot{0});
    kith::SplitMix64 random(1);
    for (std::size_t i = 0; i < std::min(count, most); ++i) std::swap(slots[i], slots[i + random.below(count - i)]);
    slots.resize(std::min(count, most / most_slots_a_call * most_slots_a_call));
    return slots;
}

/// What a kernel reads.
struct Case {
    std::string_view metric, element;
    kith::Isa isa;
    std::size_t dim;
    std::size_t stride;                           // bytes from one row to the next
    std::size_t bytes;                            // of them, those that are read
    std::size_t rows_a_call = most_slots_a_call;  // where so many fit
};

/// Nothing to gather with.
struct OnlyInOrder {};

/// Prints one line. `block` is called with the first row and a number of rows, `gather` with slots and their number.
template <class Block, class Gather>
void measure(const Bench& bench, const Case& what, const Block& block, const Gather& gather) {
    std::printf("%-13s %-7s %-11s %5zu", std::string(what.metric).c_str(), std::string(what.element).c_str(),
                std::string(kith::name(what.isa)).c_str(), what.dim);
    double in_order = 0;
    for (const Arena& arena : arenas) {
        const std::size_t fitting = std::max<std::size_t>(4, arena.bytes / what.stride);
        const std::size_t rows_a_call = std::min(what.rows_a_call, fitting);
        const std::size_t count = fitting / rows_a_call * rows_a_call;
        std::size_t at = 0;
        in_order = best_rate(bench.seconds, what.bytes * rows_a_call, [&] {
            block(at, rows_a_call);
            at = at + rows_a_call < count ? at + rows_a_call : 0;
        });
        std::printf("   %s %6.1f", arena.name, in_order);
        if constexpr (std::is_same_v<Gather, OnlyInOrder>) {
            std::printf("      -");
        } else {
            const std::vector<kith::Slot> slots = random_slots(count);
            at = 0;
            std::printf(" %6.1f", best_rate(bench.seconds, what.bytes * rows_a_call, [&] {
                            gather(&slots[at], rows_a_call);
                            at = at + rows_a_call < slots.size() ? at + rows_a_call : 0;
                        }));
        }
    }
    std::printf("   %4.2f\n", in_order / bench.bandwidth);
    std::fflush(stdout);
}

}  // namespace micro
