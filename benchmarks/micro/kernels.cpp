// benchmarks/micro/kernels.cpp — how fast are the distance kernels, against what memory can deliver?
//
// Each case is a metric, what rows hold, an instruction set and a dimension, run over rows that fit the first cache, the
// second, and neither; a block of them in order, and gathered in a random order. Numbers are GB/s of rows read, the
// best of several rounds. Memory is also read by a plain sum, which is as fast as one core can go; the last column says
// how much of that the block reached.
#include "codes.hpp"
#include "rates.hpp"

#include "kith/core/element.hpp"
#include "kith/core/random.hpp"
#include "kith/core/reserved_memory.hpp"
#include "kith/distance/dispatch.hpp"
#include "kith/index/raw_rows.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace micro {

namespace {

using kith::Bits8;

constexpr const char* usage =
    "micro [DIMENSION...] [--isa NAME] [--element NAME] [--seconds S]\n"
    "  DIMENSION   1 to 65536; without any, 128 and 768, and 1024 for bits\n"
    "  --isa       scalar, avx2, avx512, avx512_vnni, neon or neon_dot; without it, all this processor has\n"
    "  --element   f32, f16, bf16, i8, u8, bits, sq8, sq4, packed1, packed4 or scan4; without it, all\n"
    "  --seconds   how long each number is measured, up to 60; without it, 0.03\n";

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
void fill(const kith::ReservedMemory& memory) {
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
}

template <class M, class T>
void measure_one(const Bench& bench, kith::Isa isa, std::size_t dim) {
    const auto* const data = reinterpret_cast<const T*>(bench.memory);
    const kith::Kernels<T> kernels = kith::kernels<M, T>(isa);
    const std::size_t stride = kith::RawRows<T, M>::stride_for(dim), elements = kith::elements_for<T>(dim);
    std::vector<kith::QueryElement<T>> query(elements);
    for (std::size_t i = 0; i < elements; ++i) query[i] = static_cast<kith::QueryElement<T>>(data[i]);
    std::array<float, most_slots_a_call> out;
    measure(
        bench, {M::name, kith::element_name<T>, isa, dim, stride * sizeof(T), elements * sizeof(T)},
        [&](std::size_t first, std::size_t count) {
            kernels.block(query.data(), data + first * stride, stride, elements, count, out.data());
            keep(out.data());
        },
        [&](const kith::Slot* slots, std::size_t count) {
            kernels.slots(query.data(), data, stride, elements, slots, count, out.data());
            keep(out.data());
        });
}

/// All metrics of one element, on every instruction set asked for.
template <class T, class... Metrics>
void measure_all(const Bench& bench, const kith::ReservedMemory& memory) {
    if (!bench.wants(kith::element_name<T>)) return;
    fill<T>(memory);
    std::vector<std::size_t> dims = bench.dims;
    if (dims.empty())
        dims = std::same_as<T, Bits8> ? std::vector<std::size_t>{1024} : std::vector<std::size_t>{128, 768};
    for (const kith::Isa isa : bench.isas()) {
        for (const std::size_t dim : dims) (measure_one<Metrics, T>(bench, isa, dim), ...);
    }
}

std::size_t dimension_in(std::string_view text) {
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    if (!whole || number < 1 || number > kith::longest_integer_row) {
        throw std::invalid_argument(std::string(text) + " is not a dimension from 1 to 65536");
    }
    return number;
}

double seconds_in(const std::string& text) {
    char* end = nullptr;
    const double number =
        std::strtod(text.c_str(), &end);  // for standard libraries whose from_chars reads no fractions
    if (text.empty() || *end != '\0' || !(number > 0 && number <= 60)) {
        throw std::invalid_argument(text + " is not a number of seconds up to 60");
    }
    return number;
}

bool is_isa(std::string_view name) {
    return std::any_of(std::begin(kith::all_isas), std::end(kith::all_isas),
                       [&](kith::Isa isa) { return kith::name(isa) == name; });
}

bool is_element(std::string_view name) {
    constexpr std::string_view names[] = {kith::element_name<float>,          kith::element_name<kith::Half>,
                                          kith::element_name<kith::Bfloat16>, kith::element_name<std::int8_t>,
                                          kith::element_name<std::uint8_t>,   kith::element_name<Bits8>};
    return std::count(std::begin(names), std::end(names), name) +
               std::count(std::begin(code_names), std::end(code_names), name) >
           0;
}

/// Throws: std::invalid_argument.
Bench parse(int count, char** arguments) {
    Bench bench;
    for (int i = 1; i < count; ++i) {
        const std::string_view argument = arguments[i];
        if (argument.substr(0, 2) != "--") {
            bench.dims.push_back(dimension_in(argument));
            continue;
        }
        const bool known = argument == "--isa" || argument == "--element" || argument == "--seconds";
        if (!known) throw std::invalid_argument("no option " + std::string(argument));
        if (i + 1 == count) throw std::invalid_argument("what is the value of " + std::string(argument) + "?");
        const std::string value = arguments[++i];
        if (argument == "--isa") {
            if (!is_isa(value)) throw std::invalid_argument("no instruction set " + value);
            bench.isa = value;
        } else if (argument == "--element") {
            if (!is_element(value)) throw std::invalid_argument("no element " + value);
            bench.element = value;
        } else {
            bench.seconds = seconds_in(value);
        }
    }
    return bench;
}

void run(Bench bench) {
    const kith::ReservedMemory memory(arenas[2].bytes + (1 << 20));
    fill<float>(memory);
    bench.memory = memory.data();

    std::printf("GB/s of rows on one core: a block in order, then up to %zu slots gathered at random\n",
                most_slots_a_call);
    for (const Arena& arena : arenas) {
        bench.bandwidth = sequential_rate(10 * bench.seconds, memory.data(), arena.bytes);
        std::printf("read in order, %s: %.1f GB/s\n", arena.name, bench.bandwidth);
    }
    measure_codes(bench);  // of floats, some of which stand where a code has its scale
    measure_all<float, kith::L2, kith::InnerProduct>(bench, memory);
    measure_all<kith::Half, kith::L2, kith::InnerProduct>(bench, memory);
    measure_all<kith::Bfloat16, kith::L2, kith::InnerProduct>(bench, memory);
    measure_all<std::int8_t, kith::L2, kith::InnerProduct>(bench, memory);
    measure_all<std::uint8_t, kith::L2, kith::InnerProduct>(bench, memory);
    measure_all<Bits8, kith::Hamming, kith::Jaccard>(bench, memory);
}

}  // namespace

}  // namespace micro

int main(int count, char** arguments) {
    if (count == 2 && std::string_view(arguments[1]) == "--help") {
        std::fputs(micro::usage, stdout);
        return 0;
    }
    try {
        micro::run(micro::parse(count, arguments));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "micro: %s\n%s", error.what(), micro::usage);
        return 1;
    }
    return 0;
}
