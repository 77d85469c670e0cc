// benchmarks/micro/kernels.cpp — how fast are the distance kernels, against what memory can deliver?
//
// Each case is a metric, an element type, an instruction set and a dimension, run over rows that fit the first cache,
// the second, and neither; a block of them in order, and gathered in a random order. Numbers are GB/s of rows read, the
// best of several rounds. The rows of one size are also read by a plain sum, which is as fast as one core can go.
//
//   micro [dimension...] [--isa NAME] [--seconds S]
#include "kith/core/random.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace {

using kith::Slot;

struct Arena {
    const char* name;
    std::size_t bytes;
};
constexpr Arena arenas[] = {{"L1", 16 << 10}, {"L2", 512 << 10}, {"memory", 512 << 20}};
constexpr std::size_t most_slots_a_call = 32;  // the neighbours of a graph node

struct Settings {
    std::vector<std::size_t> dims;
    std::string isa;  // empty: every one
    double seconds = 0.1;
};

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

/// What the compiler must believe to be used.
void keep(const void* pointer) {
    __asm__ volatile("" : : "r"(pointer) : "memory");
}

std::size_t stride_of(std::size_t dim) {
    return dim < 64 ? (dim + 3) / 4 * 4 : (dim + 15) / 16 * 16;
}

/// Reads whole cache lines in order, a megabyte or less a call, and does next to nothing with them.
double sequential_rate(double seconds, const float* data, std::size_t bytes) {
    const auto* words = reinterpret_cast<const std::uint64_t*>(data);
    const std::size_t count = bytes / sizeof(*words);
    const std::size_t step = std::min<std::size_t>(count, (1 << 20) / sizeof(*words));
    std::size_t at = 0;
    return best_rate(seconds, step * sizeof(*words), [&] {
        std::uint64_t sums[16] = {};
        for (std::size_t i = at; i < at + step; i += 16) {
            for (std::size_t lane = 0; lane < 16; ++lane) sums[lane] ^= words[i + lane];
        }
        keep(sums);
        at = at + 2 * step <= count ? at + step : 0;
    });
}

template <class M>
void measure(const Settings& settings, kith::Isa isa, std::size_t dim, const float* data) {
    const kith::Kernels<float> kernels = kith::kernels<M, float>(isa);
    const std::size_t stride = stride_of(dim);
    std::vector<float> query(dim, 0.5F);
    std::printf("%-13s/f32/%-6s/%-5zu", std::string(M::name).c_str(), std::string(name(isa)).c_str(), dim);
    for (const Arena& arena : arenas) {
        const std::size_t fitting = std::max<std::size_t>(4, arena.bytes / (stride * sizeof(float)));
        const std::size_t slots_a_call = std::min(most_slots_a_call, fitting);
        const std::size_t count = fitting / slots_a_call * slots_a_call;
        const std::size_t bytes = dim * sizeof(float);
        std::vector<float> out(slots_a_call);
        std::size_t at = 0;
        const auto next = [&] { return at = at + slots_a_call < count ? at + slots_a_call : 0; };
        const double block = best_rate(settings.seconds, bytes * slots_a_call, [&] {
            kernels.block(query.data(), data + at * stride, stride, dim, slots_a_call, out.data());
            next();
            keep(out.data());
        });

        std::vector<Slot> slots(count);
        std::iota(slots.begin(), slots.end(), Slot{0});
        kith::SplitMix64 random(1);
        for (std::size_t i = count; i > 1; --i) std::swap(slots[i - 1], slots[random.below(i)]);
        at = 0;
        const double gathered = best_rate(settings.seconds, bytes * slots_a_call, [&] {
            kernels.slots(query.data(), data, stride, dim, &slots[at], slots_a_call, out.data());
            next();
            keep(out.data());
        });
        std::printf("   %s %6.1f %6.1f", arena.name, block, gathered);
    }
    std::printf("\n");
    std::fflush(stdout);
}

Settings parse(int count, char** arguments) {
    Settings settings;
    for (int i = 1; i < count; ++i) {
        const std::string_view argument = arguments[i];
        if (argument == "--isa" && i + 1 < count) {
            settings.isa = arguments[++i];
        } else if (argument == "--seconds" && i + 1 < count) {
            settings.seconds = std::atof(arguments[++i]);
        } else {
            settings.dims.push_back(static_cast<std::size_t>(std::atoi(arguments[i])));
        }
    }
    if (settings.dims.empty()) settings.dims = {32, 100, 128, 384, 768, 1536};
    return settings;
}

}  // namespace

int main(int count, char** arguments) {
    const Settings settings = parse(count, arguments);
    const kith::ReservedMemory memory(arenas[2].bytes + (1 << 20));
    auto* data = reinterpret_cast<float*>(memory.data());
    kith::SplitMix64 random(1);
    for (std::size_t i = 0; i < memory.size() / sizeof(float); ++i) data[i] = static_cast<float>(random.uniform());

    std::printf("GB/s of rows on one core: a block in order, then up to %zu slots gathered at random\n",
                most_slots_a_call);
    for (const Arena& arena : arenas) {
        std::printf("read in order, %s: %.1f GB/s\n", arena.name, sequential_rate(settings.seconds, data, arena.bytes));
    }
    for (const kith::Isa isa : kith::all_isas) {
        if (!supports(isa) || (!settings.isa.empty() && settings.isa != name(isa))) continue;
        for (const std::size_t dim : settings.dims) {
            measure<kith::L2>(settings, isa, dim, data);
            measure<kith::InnerProduct>(settings, isa, dim, data);
        }
    }
    return 0;
}
