// tests/laws/codec_laws.hpp — what every codec promises, whichever quantizer it is of.
#pragma once

#include "kith/core/error.hpp"
#include "kith/core/random.hpp"
#include "kith/quantize/codec.hpp"
#include "support/catch.hpp"
#include "support/raised.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace kith_test {

/// Vectors around a point that is not zero, `wide` of whose dimensions outweigh the others, as real ones lie.
inline std::vector<float> blob(std::size_t rows, std::size_t dim, std::uint64_t seed, double scale = 1) {
    kith::SplitMix64 random(seed);
    std::vector<float> made(rows * dim);
    for (std::size_t i = 0; i < made.size(); ++i) {
        const double noise = random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2;
        const double centre = static_cast<double>(i % dim % 5) * 0.25;
        made[i] = static_cast<float>((centre + noise * (i % dim % 7 == 0 ? 2 : 1)) * scale);
    }
    return made;
}

inline kith::MatrixView view_of(const std::vector<float>& values, std::size_t dim) {
    return {values.data(), values.size() / dim, dim, dim};
}

/// A codec and the codes of vectors, in memory of exactly the bytes a codec may read: 64 behind the last code.
template <class C>
class Coded {
public:
    Coded(C codec, const std::vector<float>& vectors)
        : codec_(std::move(codec)), count_(vectors.size() / codec_.dim()), codes_(count_ * codec_.code_bytes() + 64) {
        kith::ScratchMemory scratch;
        for (std::size_t i = 0; i < count_; ++i) {
            codec_.encode(&vectors[i * codec_.dim()], codes_.data() + i * codec_.code_bytes(), scratch);
        }
    }

    [[nodiscard]] const C& codec() const { return codec_; }
    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] const std::vector<std::byte>& codes() const { return codes_; }
    [[nodiscard]] auto rows() const { return codec_.rows(codes_.data()); }

    [[nodiscard]] std::vector<float> decoded(std::size_t at) const {
        std::vector<float> vector(codec_.dim());
        codec_.decode(codes_.data() + at * codec_.code_bytes(), vector.data());
        return vector;
    }

    /// The distances of `query` to all, by score_block.
    [[nodiscard]] std::vector<float> distances(const float* query) const {
        kith::ScratchMemory scratch;
        return all_of(rows().scorer(query, scratch));
    }
    [[nodiscard]] std::vector<float> distances_of(kith::Slot slot) const {
        kith::ScratchMemory scratch;
        return all_of(rows().scorer_of(slot, scratch));
    }

private:
    template <kith::Scorer S>
    [[nodiscard]] std::vector<float> all_of(const S& scorer) const {
        std::vector<float> out(count_);
        scorer.score_block(0, count_, out.data());
        return out;
    }

    C codec_;
    std::size_t count_;
    std::vector<std::byte> codes_;
};

template <class C>
Coded<C> coded(const std::vector<float>& vectors, std::size_t dim) {
    return Coded<C>(C::train(view_of(vectors, dim), kith::Training{}), vectors);
}

/// ‖a − b‖.
inline double apart(const float* a, const float* b, std::size_t dim) {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) {
        const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
        sum += difference * difference;
    }
    return std::sqrt(sum);
}

/// ‖a‖, and a / ‖a‖ where metric M compares directions.
inline double length(const float* a, std::size_t dim) {
    const std::vector<float> zero(dim);
    return apart(a, zero.data(), dim);
}

template <class M>
std::vector<float> as_compared(const float* vector, std::size_t dim) {
    std::vector<float> made(vector, vector + dim);
    const double norm = length(vector, dim);
    if (std::is_same_v<M, kith::Cosine> && norm > 0) {
        for (float& element : made) element = static_cast<float>(static_cast<double>(element) / norm);
    }
    return made;
}

template <class Scorer>
void check_both_calls_agree(const Scorer& scorer, std::size_t count) {
    std::vector<float> block(count), gathered(count), alone(count);
    scorer.score_block(0, count, block.data());
    std::vector<kith::Slot> slots;
    for (std::size_t i = 0; i < count; ++i) slots.push_back(static_cast<kith::Slot>((i * 7 + 3) % count));
    if (count % 7 == 0) std::reverse(slots.begin(), slots.end());
    scorer.score(slots.data(), count, gathered.data());
    bool same = true;
    for (std::size_t i = 0; i < count; ++i) {
        scorer.prefetch(slots[i]);
        scorer.score_block(slots[i], 1, &alone[i]);
        same = same && gathered[i] == block[slots[i]] && alone[i] == gathered[i];
    }
    CHECK(same);
}

/// What `check` says of each dimension worth looking at.
template <class Check>
void for_dimensions(const Check& check) {
    for (const std::size_t dim : {1U, 2U, 3U, 15U, 31U, 64U, 100U, 127U, 129U, 768U, 4096U}) {
        INFO("dim " << dim);
        check(dim, dim > 1000 ? std::size_t{21} : std::size_t{100});
    }
}

template <class C>
void check_encode_is_deterministic() {
    for_dimensions([](std::size_t dim, std::size_t count) {
        const std::vector<float> vectors = blob(count, dim, dim);
        const auto first = coded<C>(vectors, dim);
        const auto second = coded<C>(vectors, dim);
        CHECK(first.codes() == second.codes());
        CHECK(first.codec().dim() == dim);
        CHECK(first.codec().code_bytes() % 4 == 0);
    });
}

template <class C>
void check_load_gives_what_was_saved() {
    for_dimensions([](std::size_t dim, std::size_t count) {
        const std::vector<float> vectors = blob(count, dim, dim + 1);
        const auto before = coded<C>(vectors, dim);
        std::string saved;
        kith::ByteWriter writer(saved);
        before.codec().save(writer);
        kith::ByteReader reader(saved);
        const Coded<C> after(C::load(reader, dim), vectors);
        CHECK(reader.remaining() == 0);
        CHECK(after.codes() == before.codes());
        CHECK(after.distances(vectors.data()) == before.distances(vectors.data()));
        CHECK(after.distances_of(1) == before.distances_of(1));
    });
}

template <class C>
void check_scorers() {
    for_dimensions([](std::size_t dim, std::size_t count) {
        const std::vector<float> vectors = blob(count, dim, dim + 2);
        const auto codes = coded<C>(vectors, dim);
        kith::ScratchMemory scratch;
        check_both_calls_agree(codes.rows().scorer(blob(1, dim, 99).data(), scratch), count);
        check_both_calls_agree(codes.rows().scorer_of(static_cast<kith::Slot>(count / 2), scratch), count);
        std::size_t asymmetric = 0;
        const std::vector<float> of_third = codes.distances_of(3);
        for (kith::Slot slot = 0; slot < count; ++slot) asymmetric += codes.distances_of(slot)[3] != of_third[slot];
        CHECK(asymmetric == 0);
    });
}

/// decode comes as near as `share` of the length of what is left about the mean, or of the usual length where that is
/// more, and distances err by no more than
/// what the decoded vector and a query of bytes can err by.
template <class M, class C>
void check_errors_are_bounded(double share) {
    for_dimensions([&](std::size_t dim, std::size_t count) {
        const std::vector<float> vectors = blob(count, dim, dim + 3);
        const auto codes = coded<C>(vectors, dim);
        std::vector<float> mean(dim);
        for (std::size_t i = 0; i < vectors.size(); ++i) {
            mean[i % dim] += as_compared<M>(&vectors[i / dim * dim], dim)[i % dim] / static_cast<float>(count);
        }
        const std::vector<float> query = blob(1, dim, 98);
        const std::vector<float> distances = codes.distances(query.data());
        const std::vector<float> of_first = codes.distances_of(0);
        const std::vector<float> compared_query = as_compared<M>(query.data(), dim);
        const double reach = apart(compared_query.data(), mean.data(), dim);
        double worst = 0, usual = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const double left = apart(as_compared<M>(&vectors[i * dim], dim).data(), mean.data(), dim);
            usual += left * left / static_cast<double>(count);
        }
        usual = std::sqrt(usual);
        for (std::size_t i = 0; i < count; ++i) {
            const std::vector<float> vector = as_compared<M>(&vectors[i * dim], dim);
            const double left = apart(vector.data(), mean.data(), dim);
            const double lost = apart(vector.data(), codes.decoded(i).data(), dim);
            INFO("row " << i << ": lost " << lost << " of " << left << ", query " << reach);
            CHECK(lost <= share * std::max(left, usual) + 1e-5);
            const double room =
                4 * (lost * (reach + left + lost) + 0.01 * left * reach) + 1e-5 * (1 + left * left + reach * reach);
            const auto truth = static_cast<double>(M::distance(query.data(), &vectors[i * dim], dim));
            CHECK(std::abs(static_cast<double>(distances[i]) - truth) <= room);
            worst = std::max(worst, lost);
        }
        const double first_left = apart(as_compared<M>(vectors.data(), dim).data(), mean.data(), dim);
        for (std::size_t i = 0; i < count; ++i) {
            const double left = apart(as_compared<M>(&vectors[i * dim], dim).data(), mean.data(), dim);
            const double room =
                4 * (worst * (first_left + left + 2 * worst)) + 1e-5 * (1 + left * left + first_left * first_left);
            const auto truth = static_cast<double>(M::distance(vectors.data(), &vectors[i * dim], dim));
            CHECK(std::abs(static_cast<double>(of_first[i]) - truth) <= room);
        }
    });
}

/// Zeros, constants, huge and tiny elements, and rows that are all equal are encoded, and no distance is a NaN.
template <class C>
void check_extreme_vectors() {
    constexpr float largest = std::numeric_limits<float>::max();
    constexpr float smallest = std::numeric_limits<float>::denorm_min();
    for (const std::size_t dim : {1U, 2U, 3U, 100U, 4096U}) {
        INFO("dim " << dim);
        std::vector<float> vectors;
        for (const float value : {0.0F, 1.0F, -1.0F, largest, -largest, smallest, 1e-20F, 1e18F}) {
            vectors.insert(vectors.end(), dim, value);
            vectors.insert(vectors.end(), dim, value);
            vectors[vectors.size() - dim] = -value;  // one element apart from the rest
        }
        const auto mixed = coded<C>(vectors, dim);
        for (kith::Slot slot = 0; slot < mixed.count(); ++slot) {
            const std::vector<float> by_query = mixed.distances(&vectors[slot * dim]);
            const std::vector<float> by_code = mixed.distances_of(slot);
            const std::vector<float> back = mixed.decoded(slot);
            INFO("slot " << slot);
            CHECK(std::none_of(by_query.begin(), by_query.end(), [](float value) { return std::isnan(value); }));
            CHECK(std::none_of(by_code.begin(), by_code.end(), [](float value) { return std::isnan(value); }));
            CHECK(std::none_of(back.begin(), back.end(), [](float value) { return std::isnan(value); }));
        }
        const std::vector<float> equal(50 * dim, 0.75F);
        const auto same = coded<C>(equal, dim);
        const std::vector<float> distances = same.distances(equal.data());
        CHECK(std::count(distances.begin(), distances.end(), distances[0]) == 50);
        for (const float element : same.decoded(7)) CHECK(std::isfinite(element));
    }
}

/// Parameters that are cut short or hold what no training gives are refused; no damage leads out of bounds.
template <class C>
void check_damaged_parameters() {
    constexpr std::size_t dim = 9;
    const std::vector<float> vectors = blob(300, dim, 5);
    std::string saved;
    kith::ByteWriter writer(saved);
    C::train(view_of(vectors, dim), kith::Training{}).save(writer);
    for (std::size_t count = 0; count < saved.size(); ++count) {
        const std::string cut = saved.substr(0, count);
        kith::ByteReader reader(cut);
        const Raised answer = raised([&] { static_cast<void>(C::load(reader, dim)); });
        INFO("cut at " << count << " of " << saved.size() << ": " << answer.text);
        CHECK((answer.code == kith::Errc::corrupt));
    }
    std::size_t refused = 0;
    for (std::size_t at = 0; at < saved.size(); ++at) {
        for (const unsigned bits : {0x01U, 0x40U, 0x80U, 0xffU}) {
            std::string damaged = saved;
            damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ bits);
            kith::ByteReader reader(damaged);
            const Raised answer = raised([&] {
                const Coded<C> codes(C::load(reader, dim), vectors);
                CHECK(codes.distances(vectors.data()).size() == codes.count());
            });
            refused += answer.code.has_value();
            if (answer.code) {
                CHECK((answer.code == kith::Errc::corrupt || answer.code == kith::Errc::unsupported_version));
            }
        }
    }
    CHECK(refused > 0);
    if (saved.size() == 1) return;  // a version and nothing else
    std::string endless = saved;    // every float a NaN
    std::fill(endless.begin() + 1, endless.end(), '\xff');
    kith::ByteReader reader(endless);
    const Raised answer = raised([&] { static_cast<void>(C::load(reader, dim)); });
    CHECK((answer.code == kith::Errc::corrupt || answer.code == kith::Errc::unsupported_version));
}

template <class C>
void check_training_refuses() {
    const std::vector<float> vectors = blob(300, 4, 6);
    const std::size_t fewest = C::fewest_vectors(4);
    CHECK(fewest >= 1);
    const Raised few =
        raised([&] { static_cast<void>(C::train({vectors.data(), fewest - 1, 4, 4}, kith::Training{})); });
    CHECK((few.code == kith::Errc::invalid_argument));
    INFO(few.text);
    CHECK(few.says(std::to_string(fewest - 1)));
    CHECK(few.says(std::to_string(fewest)));
    const Raised flat = raised([&] { static_cast<void>(C::train({vectors.data(), 300, 0, 0}, kith::Training{})); });
    CHECK((flat.code == kith::Errc::invalid_argument));
    kith::Training cancelled;
    cancelled.progress = [](double) { return false; };
    const Raised stopped = raised([&] { static_cast<void>(C::train(view_of(vectors, 4), cancelled)); });
    CHECK((stopped.code == kith::Errc::cancelled));
}

/// Every law, for the codec of one metric. `share`: see check_errors_are_bounded.
template <class Q, class M>
void check_codec_laws(double share) {
    using Codec = typename Q::template Codec<M>;
    INFO(Q::name << ", " << M::name);
    check_encode_is_deterministic<Codec>();
    check_load_gives_what_was_saved<Codec>();
    check_scorers<Codec>();
    check_errors_are_bounded<M, Codec>(share);
    check_training_refuses<Codec>();
    check_extreme_vectors<Codec>();
    check_damaged_parameters<Codec>();
}

}  // namespace kith_test
