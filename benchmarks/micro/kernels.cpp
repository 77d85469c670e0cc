// benchmarks/micro/kernels.cpp — how fast are the distance kernels, against what memory can deliver?
//
// Each case is a metric, an element type, an instruction set and a dimension, run over rows that fit the first cache,
// the second, and neither; a block of them in order, and gathered in a random order. Numbers are GB/s of rows read, the
// best of several rounds. Memory is also read by a plain sum, which is as fast as one core can go; the last column says
// how much of that the block reached.
//
//   micro [dimension...] [--isa NAME] [--element NAME] [--seconds S]
#include "kith/core/element.hpp"
#include "kith/core/random.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/distance/cpu.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/index/raw_rows.hpp"

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace {

using kith::Bits8;
using kith::Slot;

struct Arena {
    const char* name;
    std::size_t bytes;
};
constexpr Arena arenas[] = {{"L1", 16 << 10}, {"L2", 512 << 10}, {"memory", 512 << 20}};
constexpr std::size_t most_slots_a_call = 32;  // the neighbours of a graph node

struct Settings {
    std::vector<std::size_t> dims;
    std::string isa;      // empty: every one
    std::string element;  // empty: every one
    double seconds = 0.03;
};

/// What one core reads in order, in GB/s.
struct Bandwidth {
    double memory = 0;
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

/// Reads whole cache lines in order, a megabyte or less a call, and does next to nothing with them.
double sequential_rate(double seconds, const std::byte* data, std::size_t bytes) {
    // Of the size every processor has. In caches wider ones are read faster, from memory they are not.
    using Words [[gnu::vector_size(16)]] = std::uint64_t;
    const auto* words = reinterpret_cast<const Words*>(data);
    const std::size_t count = bytes / sizeof(Words);
    const std::size_t step = std::min<std::size_t>(count, (1 << 20) / sizeof(Words));
    std::size_t at = 0;
    return best_rate(seconds, step * sizeof(Words), [&] {
        Words a{}, b{}, c{}, d{};
        for (std::size_t i = at; i < at + step; i += 4) {
            a ^= words[i];
            b ^= words[i + 1];
            c ^= words[i + 2];
            d ^= words[i + 3];
        }
        const Words sum = a ^ b ^ c ^ d;
        keep(&sum);
        at = at + 2 * step <= count ? at + step : 0;
    });
}

/// Random elements, a megabyte of them again and again.
template <class T>
T* fill(const kith::ReservedMemory& memory) {
    T* const data = reinterpret_cast<T*>(memory.data());
    const std::size_t made = (1 << 20) / sizeof(T);
    kith::SplitMix64 random(1);
    std::vector<float> floats(kith::dimensions_an_element<T>);
    for (std::size_t i = 0; i < made; ++i) {
        for (float& value : floats) {
            const double uniform = random.uniform() - 0.5;
            value = static_cast<float>(std::same_as<T, std::uint8_t>  ? 255 * (uniform + 0.5)
                                       : std::same_as<T, std::int8_t> ? 255 * uniform
                                                                      : uniform);
        }
        kith::encode_elements(floats.data(), floats.size(), data + i);
    }
    for (std::size_t at = made * sizeof(T); at < memory.size(); at += made * sizeof(T)) {
        std::memcpy(memory.data() + at, data, std::min(made * sizeof(T), memory.size() - at));
    }
    return data;
}

/// Slots below `count` in random order, at most a million of them.
std::vector<Slot> random_slots(std::size_t count) {
    constexpr std::size_t most = 1 << 20;
    std::vector<Slot> slots(count);
    std::iota(slots.begin(), slots.end(), Slot{0});
    kith::SplitMix64 random(1);
    for (std::size_t i = 0; i < std::min(count, most); ++i) std::swap(slots[i], slots[i + random.below(count - i)]);
    slots.resize(std::min(count, most / most_slots_a_call * most_slots_a_call));
    return slots;
}

template <class M, class T>
void measure(const Settings& settings, Bandwidth bandwidth, kith::Isa isa, std::size_t dim, const T* data) {
    const kith::Kernels<T> kernels = kith::kernels<M, T>(isa);
    const std::size_t stride = kith::RawRows<T, M>::stride_for(dim);
    const std::size_t elements = kith::elements_for<T>(dim), bytes = elements * sizeof(T);
    std::vector<kith::QueryElement<T>> query(elements);
    for (std::size_t i = 0; i < elements; ++i) query[i] = static_cast<kith::QueryElement<T>>(data[i]);
    std::printf("%-13s %-4s %-11s %5zu", std::string(M::name).c_str(), std::string(kith::element_name<T>).c_str(),
                std::string(name(isa)).c_str(), dim);
    double block = 0;
    for (const Arena& arena : arenas) {
        const std::size_t fitting = std::max<std::size_t>(4, arena.bytes / (stride * sizeof(T)));
        const std::size_t slots_a_call = std::min(most_slots_a_call, fitting);
        const std::size_t count = fitting / slots_a_call * slots_a_call;
        std::vector<float> out(slots_a_call);
        std::size_t at = 0;
        block = best_rate(settings.seconds, bytes * slots_a_call, [&] {
            kernels.block(query.data(), data + at * stride, stride, elements, slots_a_call, out.data());
            at = at + slots_a_call < count ? at + slots_a_call : 0;
            keep(out.data());
        });

        const std::vector<Slot> slots = random_slots(count);
        at = 0;
        const double gathered = best_rate(settings.seconds, bytes * slots_a_call, [&] {
            kernels.slots(query.data(), data, stride, elements, &slots[at], slots_a_call, out.data());
            at = at + slots_a_call < slots.size() ? at + slots_a_call : 0;
            keep(out.data());
        });
        std::printf("   %s %6.1f %6.1f", arena.name, block, gathered);
    }
    std::printf("   %4.2f\n", block / bandwidth.memory);
    std::fflush(stdout);
}

/// All metrics of one element, on every instruction set asked for.
template <class T, class... Metrics>
void measure_all(const Settings& settings, Bandwidth bandwidth, const kith::ReservedMemory& memory) {
    if (!settings.element.empty() && settings.element != kith::element_name<T>) return;
    const T* const data = fill<T>(memory);
    std::vector<std::size_t> dims = settings.dims;
    if (dims.empty())
        dims = std::same_as<T, Bits8> ? std::vector<std::size_t>{1024} : std::vector<std::size_t>{128, 768};
    for (const kith::Isa isa : kith::all_isas) {
        if (!supports(isa) || (!settings.isa.empty() && settings.isa != name(isa))) continue;
        for (const std::size_t dim : dims) (measure<Metrics>(settings, bandwidth, isa, dim, data), ...);
    }
}

Settings parse(int count, char** arguments) {
    Settings settings;
    for (int i = 1; i < count; ++i) {
        const std::string_view argument = arguments[i];
        if (argument == "--isa" && i + 1 < count) {
            settings.isa = arguments[++i];
        } else if (argument == "--element" && i + 1 < count) {
            settings.element = arguments[++i];
        } else if (argument == "--seconds" && i + 1 < count) {
            settings.seconds = std::atof(arguments[++i]);
        } else {
            settings.dims.push_back(static_cast<std::size_t>(std::atoi(arguments[i])));
        }
    }
    return settings;
}

}  // namespace

int main(int count, char** arguments) {
    const Settings settings = parse(count, arguments);
    const kith::ReservedMemory memory(arenas[2].bytes + (1 << 20));
    fill<float>(memory);

    std::printf("GB/s of rows on one core: a block in order, then up to %zu slots gathered at random\n",
                most_slots_a_call);
    Bandwidth bandwidth;
    for (const Arena& arena : arenas) {
        bandwidth.memory = sequential_rate(10 * settings.seconds, memory.data(), arena.bytes);
        std::printf("read in order, %s: %.1f GB/s\n", arena.name, bandwidth.memory);
    }
    measure_all<float, kith::L2, kith::InnerProduct>(settings, bandwidth, memory);
    measure_all<kith::Half, kith::L2, kith::InnerProduct>(settings, bandwidth, memory);
    measure_all<kith::Bfloat16, kith::L2, kith::InnerProduct>(settings, bandwidth, memory);
    measure_all<std::int8_t, kith::L2, kith::InnerProduct>(settings, bandwidth, memory);
    measure_all<std::uint8_t, kith::L2, kith::InnerProduct>(settings, bandwidth, memory);
    measure_all<Bits8, kith::Hamming, kith::Jaccard>(settings, bandwidth, memory);
    return 0;
}
