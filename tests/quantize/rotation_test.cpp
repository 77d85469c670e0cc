// tests/quantize/rotation_test.cpp — a rotation keeps lengths and products, spreads what stood in one place, and can be
// undone.
#include "kith/quantize/rotation.hpp"

#include "kith/core/random.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace {

std::vector<float> random_vector(std::size_t dim, std::uint64_t seed) {
    kith::SplitMix64 random(seed);
    std::vector<float> made(dim);
    for (float& value : made) value = static_cast<float>(random.uniform() - 0.5);
    return made;
}

double product(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
}

std::vector<float> rotated(const kith::Rotation& rotation, const std::vector<float>& vector) {
    std::vector<float> out(rotation.padded_dim());
    rotation.apply(vector.data(), out.data());
    return out;
}

constexpr std::size_t dims[] = {1, 2, 3, 15, 16, 17, 100, 127, 128, 384, 784, 1000, 4096};

}  // namespace

TEST_CASE("A rotation keeps inner products and can be undone") {
    for (const std::size_t dim : dims) {
        CAPTURE(dim);
        const kith::Rotation rotation(dim, 7);
        CHECK(rotation.dim() == dim);
        CHECK(rotation.padded_dim() >= dim);
        CHECK(rotation.padded_dim() % 16 == 0);
        const auto a = random_vector(dim, 1), b = random_vector(dim, 2);
        auto turned = rotated(rotation, a);
        CHECK(product(turned, turned) == Approx(product(a, a)).epsilon(1e-5));
        CHECK(product(turned, rotated(rotation, b)) == Approx(product(a, b)).epsilon(1e-4).margin(1e-4));
        std::vector<float> back(dim);
        rotation.invert(turned.data(), back.data());
        for (std::size_t i = 0; i < dim; ++i) CHECK(back[i] == Approx(a[i]).margin(1e-5));
    }
}

TEST_CASE("A rotation spreads one element over all") {
    for (const std::size_t dim : {std::size_t{100}, std::size_t{384}, std::size_t{784}}) {
        const kith::Rotation rotation(dim, 7);
        for (std::size_t at = 0; at < dim; at += 37) {
            std::vector<float> unit(dim, 0.0F);
            unit[at] = 1;
            const auto turned = rotated(rotation, unit);
            float largest = 0;
            for (const float value : turned) largest = std::max(largest, std::abs(value));
            // The largest of n normal numbers of deviation 1 / √n stays below 5 / √n.
            CHECK(largest < 5.0F / std::sqrt(static_cast<float>(rotation.padded_dim())));
        }
    }
}

TEST_CASE("A seed names a rotation") {
    const auto vector = random_vector(100, 3);
    CHECK(rotated(kith::Rotation(100, 1), vector) == rotated(kith::Rotation(100, 1), vector));
    CHECK(rotated(kith::Rotation(100, 1), vector) != rotated(kith::Rotation(100, 2), vector));
}
