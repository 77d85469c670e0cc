// kith.hpp — the whole of kith for collections in memory, in one file.
//
// Made by tools/amalgamate.py from include/kith; change it there. It needs no dependency and nothing to link, and may be
// included from any number of sources. Collections that live in a directory need the library itself.
//
// Licence: Apache-2.0, the kith authors.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <compare>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unistd.h>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

// kith/kith.hpp — the whole library: every door that a program needs.

// kith/collection.hpp — records of one schema, in a directory or in memory: the roof that joins the columns.

// kith/collection/assign.hpp — `set<&Article::year>(2024)`: a new value for one member, for Collection::update.

// kith/schema/reflect.hpp — what the compiler knows of a plain struct: how many members, their names, which is which.
//
// The standard has no reflection before C++26, so three facts are combined. An aggregate can be initialised with as
// many values as it has members and not one more, which counts them. A structured binding gives each member's address
// in an object that is declared and never defined, so any struct will do. And a compiler prints such an address, given
// as a template argument, with the member's name. Everything that depends on a compiler's habits is in this file.
//
// Thread safety: everything happens while compiling.
// Source: the technique is common to Boost.PFR, glaze and reflect-cpp; the code is ours.

// kith/schema/members.hpp — the members of a plain struct as a tuple of references.
//
// C++20 can take a struct apart only by naming as many variables as it has members, so there is one overload for each
// count up to the limit of 64. C++26 lets a structured binding introduce a pack; then this file becomes one function.
// That is also why it is longer than its neighbours.
//
// Thread safety: functions without state.

namespace kith::inline v0_single::detail {

/// The number of members, as a type that picks the overload.
template <std::size_t Count>
using MemberCount = std::integral_constant<std::size_t, Count>;

constexpr auto tie_members(auto&, MemberCount<0>) noexcept {
    return std::tuple<>();
}

constexpr auto tie_members(auto& record, MemberCount<1>) noexcept {
    auto& [m0] = record;
    return std::tie(m0);
}
constexpr auto tie_members(auto& record, MemberCount<2>) noexcept {
    auto& [m0, m1] = record;
    return std::tie(m0, m1);
}
constexpr auto tie_members(auto& record, MemberCount<3>) noexcept {
    auto& [m0, m1, m2] = record;
    return std::tie(m0, m1, m2);
}
constexpr auto tie_members(auto& record, MemberCount<4>) noexcept {
    auto& [m0, m1, m2, m3] = record;
    return std::tie(m0, m1, m2, m3);
}
constexpr auto tie_members(auto& record, MemberCount<5>) noexcept {
    auto& [m0, m1, m2, m3, m4] = record;
    return std::tie(m0, m1, m2, m3, m4);
}
constexpr auto tie_members(auto& record, MemberCount<6>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5] = record;
    return std::tie(m0, m1, m2, m3, m4, m5);
}
constexpr auto tie_members(auto& record, MemberCount<7>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6);
}
constexpr auto tie_members(auto& record, MemberCount<8>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7);
}
constexpr auto tie_members(auto& record, MemberCount<9>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8);
}
constexpr auto tie_members(auto& record, MemberCount<10>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9);
}
constexpr auto tie_members(auto& record, MemberCount<11>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10);
}
constexpr auto tie_members(auto& record, MemberCount<12>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11);
}
constexpr auto tie_members(auto& record, MemberCount<13>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12);
}
constexpr auto tie_members(auto& record, MemberCount<14>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13);
}
constexpr auto tie_members(auto& record, MemberCount<15>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14);
}
constexpr auto tie_members(auto& record, MemberCount<16>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15);
}
constexpr auto tie_members(auto& record, MemberCount<17>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16);
}
constexpr auto tie_members(auto& record, MemberCount<18>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17);
}
constexpr auto tie_members(auto& record, MemberCount<19>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18);
}
constexpr auto tie_members(auto& record, MemberCount<20>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19);
}
constexpr auto tie_members(auto& record, MemberCount<21>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20);
}
constexpr auto tie_members(auto& record, MemberCount<22>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21);
}
constexpr auto tie_members(auto& record, MemberCount<23>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22] =
        record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22);
}
constexpr auto tie_members(auto& record, MemberCount<24>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22,
           m23] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23);
}
constexpr auto tie_members(auto& record, MemberCount<25>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24);
}
constexpr auto tie_members(auto& record, MemberCount<26>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25);
}
constexpr auto tie_members(auto& record, MemberCount<27>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26);
}
constexpr auto tie_members(auto& record, MemberCount<28>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27);
}
constexpr auto tie_members(auto& record, MemberCount<29>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28);
}
constexpr auto tie_members(auto& record, MemberCount<30>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29);
}
constexpr auto tie_members(auto& record, MemberCount<31>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30);
}
constexpr auto tie_members(auto& record, MemberCount<32>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31);
}
constexpr auto tie_members(auto& record, MemberCount<33>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32);
}
constexpr auto tie_members(auto& record, MemberCount<34>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33);
}
constexpr auto tie_members(auto& record, MemberCount<35>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34);
}
constexpr auto tie_members(auto& record, MemberCount<36>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35);
}
constexpr auto tie_members(auto& record, MemberCount<37>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36);
}
constexpr auto tie_members(auto& record, MemberCount<38>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37);
}
constexpr auto tie_members(auto& record, MemberCount<39>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38);
}
constexpr auto tie_members(auto& record, MemberCount<40>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39);
}
constexpr auto tie_members(auto& record, MemberCount<41>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40);
}
constexpr auto tie_members(auto& record, MemberCount<42>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41);
}
constexpr auto tie_members(auto& record, MemberCount<43>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42);
}
constexpr auto tie_members(auto& record, MemberCount<44>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43);
}
constexpr auto tie_members(auto& record, MemberCount<45>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44] =
        record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44);
}
constexpr auto tie_members(auto& record, MemberCount<46>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44,
           m45] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45);
}
constexpr auto tie_members(auto& record, MemberCount<47>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46);
}
constexpr auto tie_members(auto& record, MemberCount<48>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47);
}
constexpr auto tie_members(auto& record, MemberCount<49>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48);
}
constexpr auto tie_members(auto& record, MemberCount<50>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49);
}
constexpr auto tie_members(auto& record, MemberCount<51>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50);
}
constexpr auto tie_members(auto& record, MemberCount<52>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51);
}
constexpr auto tie_members(auto& record, MemberCount<53>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52);
}
constexpr auto tie_members(auto& record, MemberCount<54>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53);
}
constexpr auto tie_members(auto& record, MemberCount<55>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54);
}
constexpr auto tie_members(auto& record, MemberCount<56>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54, m55] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55);
}
constexpr auto tie_members(auto& record, MemberCount<57>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56);
}
constexpr auto tie_members(auto& record, MemberCount<58>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57);
}
constexpr auto tie_members(auto& record, MemberCount<59>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58);
}
constexpr auto tie_members(auto& record, MemberCount<60>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59);
}
constexpr auto tie_members(auto& record, MemberCount<61>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60);
}
constexpr auto tie_members(auto& record, MemberCount<62>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60, m61] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60, m61);
}
constexpr auto tie_members(auto& record, MemberCount<63>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60, m61, m62] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60, m61,
                    m62);
}
constexpr auto tie_members(auto& record, MemberCount<64>) noexcept {
    auto& [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21, m22, m23,
           m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45,
           m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60, m61, m62, m63] = record;
    return std::tie(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16, m17, m18, m19, m20, m21,
                    m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32, m33, m34, m35, m36, m37, m38, m39, m40, m41,
                    m42, m43, m44, m45, m46, m47, m48, m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60, m61,
                    m62, m63);
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

/// The most members a record may have.
inline constexpr std::size_t max_members = 64;

// The conversions below are never called. They have a body all the same, for clang asks for one where a library's
// template does call them and the type belongs to one source file alone.

/// Stands for a value of any type where nothing is evaluated.
struct AnyValue {
    template <class T>
    operator T() const noexcept {
        __builtin_unreachable();
    }
};

/// Stands for a value of a base class of `Derived` where nothing is evaluated.
template <class Derived>
struct AnyBase {
    template <class T>
        requires(std::is_base_of_v<T, Derived> && !std::is_same_v<T, Derived>)
    operator T() const noexcept {
        __builtin_unreachable();
    }
};

/// Stands for an object of any class where nothing is evaluated.
struct AnyObject {
    template <class T>
        requires std::is_class_v<T>
    operator T() const noexcept {
        __builtin_unreachable();
    }
};

template <class Record, std::size_t... I>
consteval bool takes_values(std::index_sequence<I...>) {
    return requires { Record{(static_cast<void>(I), AnyValue())...}; };
}

template <class Record>
inline constexpr bool has_base = requires { Record{AnyBase<Record>()}; };

/// How many members `Record` has; max_members + 1 stands for any larger number.
/// Requires: an aggregate without a base class and without C arrays.
template <class Record, std::size_t Count = 0>
consteval std::size_t count_members() {
    if constexpr (Count > max_members) {
        return Count;
    } else if constexpr (takes_values<Record>(std::make_index_sequence<Count + 1>())) {
        return count_members<Record, Count + 1>();
    } else {
        return Count;
    }
}

template <class Record>
inline constexpr std::size_t member_count = count_members<std::remove_const_t<Record>>();

/// True when the value after the first ones belongs to a C array of numbers: it takes braces, and it is no class.
template <class Record, std::size_t... First>
consteval bool array_follows(std::index_sequence<First...>) {
    return requires { Record{(static_cast<void>(First), AnyValue())..., {AnyValue(), AnyValue()}}; } &&
           !requires { Record{(static_cast<void>(First), AnyValue())..., AnyObject()}; };
}

/// True when a member is a C array of two or more numbers. Its elements would each be counted as a member.
template <class Record>
inline constexpr bool has_c_array = []<std::size_t... I>(std::index_sequence<I...>) {
    return (array_follows<Record>(std::make_index_sequence<I>()) || ...);
}(std::make_index_sequence<member_count<Record> <= max_members ? member_count<Record> : 0>());

/// References to all members, in the order of the struct.
template <class Record>
constexpr auto members(Record& record) noexcept {
    return tie_members(record, MemberCount<member_count<Record>>());
}

template <class Record, std::size_t I>
using MemberType = std::remove_cvref_t<std::tuple_element_t<I, decltype(members(std::declval<Record&>()))>>;

template <class T>
struct Unplaced {
    T value;
};

// The object below is only ever named: its members have addresses and no bytes. Compilers rightly find that odd.
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-internal"
#pragma clang diagnostic ignored "-Wundefined-var-template"
#endif

template <class Record>
extern const Unplaced<Record> unplaced;

template <class Record, std::size_t I>
consteval auto member_address() noexcept {
    return &std::get<I>(members(unplaced<Record>.value));
}

template <class Record, auto Member>
consteval auto address_through() noexcept {
    return &(unplaced<Record>.value.*Member);
}

#if defined(__clang__)
#pragma clang diagnostic pop
#endif

/// Carries a pointer as a template argument; clang before 18 takes no pointer into an object without it.
template <class Pointer>
struct Printed {
    Pointer pointer;
};

template <auto Value>
consteval auto printed_name() noexcept {
    return std::string_view(__PRETTY_FUNCTION__);
}

constexpr bool is_name_character(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
}

/// The last identifier of a text.
constexpr std::string_view last_name(std::string_view text) noexcept {
    std::size_t end = text.size();
    while (end > 0 && !is_name_character(text[end - 1])) --end;
    std::size_t begin = end;
    while (begin > 0 && is_name_character(text[begin - 1])) --begin;
    return text.substr(begin, end - begin);
}

template <class Record, std::size_t I>
inline constexpr std::string_view member_name =
    last_name(printed_name<Printed<decltype(member_address<Record, I>())>{member_address<Record, I>()}>());

template <class>
struct MemberPointer;

template <class Owner, class T>
struct MemberPointer<T Owner::*> {
    using Record = Owner;
    using Type = T;
};

/// The struct that a member pointer points into.
template <auto Member>
using RecordOf = typename MemberPointer<std::remove_const_t<decltype(Member)>>::Record;

/// The type of the member that a member pointer names.
template <auto Member>
using TypeOf = typename MemberPointer<std::remove_const_t<decltype(Member)>>::Type;

/// True for a pointer to a data member of `Record` itself.
template <class Record, auto Member>
consteval bool is_member_of() noexcept {
    if constexpr (std::is_member_object_pointer_v<std::remove_const_t<decltype(Member)>>) {
        return std::is_same_v<RecordOf<Member>, Record>;
    } else {
        return false;
    }
}

template <class Record, auto Member, std::size_t I>
consteval bool is_member() {
    if constexpr (std::is_same_v<TypeOf<Member>, MemberType<Record, I>>) {
        return address_through<Record, Member>() == member_address<Record, I>();
    } else {
        return false;
    }
}

template <class Record, auto Member, std::size_t... I>
consteval std::size_t find_member(std::index_sequence<I...>) {
    std::size_t found = sizeof...(I);
    static_cast<void>(((is_member<Record, Member, I>() ? (found = I, true) : false) || ...));
    return found;
}

/// The place of a member in its struct, counted from 0.
template <auto Member>
inline constexpr std::size_t member_index =
    find_member<RecordOf<Member>, Member>(std::make_index_sequence<member_count<RecordOf<Member>>>());

struct NameProbe {
    int probed_member;
};

static_assert(member_name<NameProbe, 0> == "probed_member" && member_index<&NameProbe::probed_member> == 0,
              "kith: this compiler does not print member names as kith knows them; g++ 12 or clang 14 and later do");

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

/// Assigns its value to `Member` of the record it is called with.
template <auto Member, class Value>
class Assignment {
public:
    explicit Assignment(Value value) : value_(std::move(value)) {}

    template <class Record>
    void operator()(Record& record) const {
        record.*Member = value_;
    }

private:
    Value value_;
};

template <auto Member, class Value>
[[nodiscard]] auto set(Value&& value) {
    using Stored = detail::TypeOf<Member>;
    static_assert(std::is_convertible_v<Value&&, Stored>,
                  "kith: set<&Record::member>(value) needs a value of its type");
    return Assignment<Member, Stored>(static_cast<Stored>(std::forward<Value>(value)));
}

}  // namespace kith::inline v0_single

// kith/collection/backup.hpp — a second directory that opens as the collection and holds what it held.
//
// Files that never change, which are nearly all the bytes, are linked where the file system allows it and copied where
// not; rows, keys and the log are copied. So a second backup costs what came since the first. A linked file is one file
// under two names: it survives the removal of either, and damage to its bytes shows in both. Who fears for the disk
// backs up to another one, where everything is copied once.
//
// Thread safety: any number of threads, each to a destination of its own.

// kith/core/long_call.hpp — how a call that may take long is watched, and stopped.
//
// The call asks check() wherever it can stop and leave everything as it was, so a stop comes a moment late and never
// halfway.
//
// Thread safety: check may be called by any thread of the call, and progress() with it, one at a time.

// kith/core/error.hpp — what the library says when the world or the caller's data stops it.
//
// One exception type and one place that throws it: a single breakpoint, and a single place that changes in a build
// without exceptions. Ordinary answers such as "no such key" are values (std::optional, bool), never errors.
//
// Memory: what the heap refuses comes out as std::bad_alloc; what the system or a C library refuses, be it address
// space, a map, a thread or memory of its own, as Errc::out_of_memory. Every function that is not noexcept may raise
// either of them. Then holds what it promises for its other errors: of a collection, that a call which raised has
// changed no record, and that the collection goes on. So Throws does not repeat them, unless it says when they come, or
// what else holds then.

#ifndef __cpp_exceptions
#include <cstdlib>
#endif

namespace kith::inline v0_single {

/// What kind of trouble; the text of the Error says which file, field or record.
enum class Errc : std::uint8_t {
    invalid_argument,         ///< the caller's data or setting is refused; nothing was written
    already_exists,           ///< insert of a key that is present; nothing was written
    not_found,                ///< a collection, or a key that an update names, is missing
    closed,                   ///< the collection was closed
    read_only,                ///< a write on a collection that was opened for reading
    locked,                   ///< another process or handle holds the collection
    schema_mismatch,          ///< the stored schema differs from the program's
    not_a_collection,         ///< the path holds something else
    corrupt,                  ///< stored bytes are damaged; the text names file and offset
    unsupported_version,      ///< written by a format this build does not read
    unsupported_file_system,  ///< a network's, whose locks and maps cannot keep a collection whole
    io,                       ///< the operating system refused a read or write
    disk_full,                ///< no space left; free some and go on
    out_of_memory,            ///< the system refused memory or address space; where the heap did, it is std::bad_alloc
    forked,                   ///< the handle was made by a parent process
    poisoned,                 ///< a sync failed earlier: reopen the collection to recover
    limit_exceeded,           ///< a documented limit was passed
    cancelled,                ///< a progress callback or a stop token asked to stop; nothing has changed
    timed_out,                ///< a deadline passed; nothing has changed
};

/// The name of an error code, as it stands in the enumeration.
constexpr std::string_view name(Errc code) noexcept {
    switch (code) {
        case Errc::invalid_argument:
            return "invalid_argument";
        case Errc::already_exists:
            return "already_exists";
        case Errc::not_found:
            return "not_found";
        case Errc::closed:
            return "closed";
        case Errc::read_only:
            return "read_only";
        case Errc::locked:
            return "locked";
        case Errc::schema_mismatch:
            return "schema_mismatch";
        case Errc::not_a_collection:
            return "not_a_collection";
        case Errc::corrupt:
            return "corrupt";
        case Errc::unsupported_version:
            return "unsupported_version";
        case Errc::unsupported_file_system:
            return "unsupported_file_system";
        case Errc::io:
            return "io";
        case Errc::disk_full:
            return "disk_full";
        case Errc::out_of_memory:
            return "out_of_memory";
        case Errc::forked:
            return "forked";
        case Errc::poisoned:
            return "poisoned";
        case Errc::limit_exceeded:
            return "limit_exceeded";
        case Errc::cancelled:
            return "cancelled";
        case Errc::timed_out:
            return "timed_out";
    }
    return "unknown";
}

/// The one exception of the library: a code to act on and a sentence to read.
class Error : public std::runtime_error {
public:
    Error(Errc code, const std::string& text) : std::runtime_error(text), code_(code) {}

    [[nodiscard]] Errc code() const noexcept { return code_; }

private:
    Errc code_;
};

/// Stops the current operation with `code` and `text`.
/// Throws: Error, always. In a build without exceptions it ends the program.
[[noreturn]] inline void raise(Errc code, const std::string& text) {
#ifdef __cpp_exceptions
    throw Error(code, text);
#else
    static_cast<void>(code);
    static_cast<void>(text);
    std::abort();
#endif
}

/// Calls `act` and hands back what it raised, or null: for work done on behalf of another thread.
template <class Act>
[[nodiscard]] std::exception_ptr attempt(Act&& act) {
#ifdef __cpp_exceptions
    try {
        act();
    } catch (...) {
        return std::current_exception();
    }
#else
    act();
#endif
    return nullptr;
}

/// Calls `act`; the text of an Error that it raises then begins with `where`.
template <class Act>
void naming(const std::string& where, Act&& act) {
#ifdef __cpp_exceptions
    try {
        act();
    } catch (const Error& error) {
        raise(error.code(), where + ": " + error.what());
    }
#else
    static_cast<void>(where);
    act();
#endif
}

/// What `failed` says of itself.
[[nodiscard]] inline std::string text_of(const std::exception_ptr& failed) {
#ifdef __cpp_exceptions
    try {
        std::rethrow_exception(failed);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception of the program's own";
    }
#else
    return {};
#endif
}

/// The Error that `attempt` handed back, as a value; nothing for null and for every other exception.
[[nodiscard]] inline std::optional<Error> as_error(const std::exception_ptr& failed) {
#ifdef __cpp_exceptions
    if (failed == nullptr) return std::nullopt;
    try {
        std::rethrow_exception(failed);
    } catch (const Error& error) {
        return error;
    } catch (...) {
        return std::nullopt;
    }
#else
    static_cast<void>(failed);
    return std::nullopt;
#endif
}

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

struct LongCall {
    std::stop_token stop = {};                                      ///< stopped from any thread: Errc::cancelled
    std::optional<std::chrono::steady_clock::time_point> deadline;  ///< passed: Errc::timed_out
    /// Called now and then with the share that is done, 0 to 1. What it throws ends the call, and leaves it. The call
    /// keeps others waiting meanwhile: it may read the collection, but neither write to it, nor close it, nor begin
    /// another long call.
    std::function<void(double done)> progress = {};

    /// Throws: Errc::cancelled, Errc::timed_out, and what `progress` throws.
    void check(double done) const {
        check_stopped();
        if (progress) progress(done);
    }

    /// The same without telling progress, for a call that waits and gets nothing done.
    void check_stopped() const {
        if (stop.stop_requested()) raise(Errc::cancelled, "the call was stopped; what it was to change is as before");
        if (deadline.has_value() && std::chrono::steady_clock::now() >= *deadline) {
            raise(Errc::timed_out, "the deadline of the call has passed; what it was to change is as before");
        }
    }
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

struct BackupOptions {
    /// An earlier backup of the same collection in the file system of the new one: what it has already is linked from
    /// there when it cannot be linked from the collection itself.
    std::filesystem::path previous = {};
};

struct BackupReport {
    std::uint64_t linked_files = 0;   ///< that take no space of their own
    std::uint64_t copied_files = 0;   ///< all others
    std::uint64_t copied_bytes = 0;   ///< of these
    std::uint64_t last_sequence = 0;  ///< number of the newest batch that the backup holds
};

/// Backs up a collection that nobody writes to. One that is open is backed up by its own backup().
/// Ensures: `destination` is there whole or not at all; it holds everything that was acknowledged.
/// Throws: Errc::locked (somebody writes to it, or to the destination); Errc::already_exists (the destination);
/// Errc::invalid_argument (the earlier backup is of another collection, or the destination lies within the source);
/// Errc::not_found, Errc::not_a_collection, Errc::unsupported_version; Errc::corrupt, see verify() and repair();
/// Errc::disk_full, Errc::io; Errc::cancelled, Errc::timed_out, and what the progress callback throws. Nothing stands
/// at the destination then.
BackupReport backup(const std::filesystem::path& collection, const std::filesystem::path& destination,
                    const BackupOptions& options = {}, const LongCall& call = {});

namespace detail {

class Environment;
struct Identity;

/// Backs up the collection at `collection`, which the caller has open, while its writers go on.
/// Requires: until it returns nothing is sealed, merged, and no file of the log is removed.
/// Ensures: the backup holds the last checkpoint and every batch that was appended to the log before the call, and
/// perhaps later ones, none without those before it.
/// Throws: as kith::backup.
BackupReport backup_store(const std::filesystem::path& collection, const Identity& identity,
                          const Environment& environment, const std::filesystem::path& destination,
                          const BackupOptions& options, const LongCall& call);

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/collection/collection.hpp — the typed front of a collection: your struct in, your struct out.

// kith/collection/engine.hpp — a collection without its types: batches in, records and neighbours out.
//
// A write is validated, logged, made durable as far as the durability level says, and then published as the next
// snapshot; a background thread links published records into the graphs, and a search scans what is not linked yet.
// So an acknowledgement never waits for a graph, and a search never misses a record. A second thread seals segments
// into files and merges them. Three roles keep them apart, each taken before the next where more than one is needed:
//
//   merging   one merge at a time, from its beginning to its end
//   keeper    the checkpoint: what is sealed, which segments there are on the disk
//   writer    the log, what is staged, the next snapshot; held shortly by the other two
//
// Thread safety: every public function may be called by any number of threads at once, except that the destructor
// must be the last call. Writers take turns; readers wait for nobody.

// kith/collection/commit_queue.hpp — one writer at a time, and one sync for all who wait.
//
// Each caller queues its request and asks for the writer role. Whoever gets it serves the whole queue, so that
// callers who arrive while a sync is under way share the next one (group commit).
//
// Thread safety: any number of threads may call commit and exclusive.

namespace kith::inline v0_single::detail {

template <class Request>
class CommitQueue {
public:
    /// Has `request` served, by this thread or another: `serve(std::vector<Request*>&)` runs in the writer role,
    /// with every request that waits. A serve that raises fails all of its requests.
    /// Requires: Request has a member `std::exception_ptr error`, which serve sets for a request that fails alone.
    /// Throws: what the request raised.
    template <class Serve>
    void commit(Request& request, Serve&& serve) {
        Waiting waiting{&request};
        {
            const std::lock_guard lock(queue_mutex_);
            queue_.push_back(&waiting);
        }
        const std::lock_guard role(writer_role_);
        if (!waiting.served) serve_all(serve);
        if (request.error != nullptr) std::rethrow_exception(request.error);
    }

    /// Runs `act` in the writer role: no request is served meanwhile.
    template <class Act>
    decltype(auto) exclusive(Act&& act) {
        const std::lock_guard role(writer_role_);
        return act();
    }

private:
    struct Waiting {
        Request* request;
        bool served = false;  // guarded by the writer role
    };

    template <class Serve>
    void serve_all(Serve&& serve) {
        std::vector<Waiting*> group;
        {
            const std::lock_guard lock(queue_mutex_);
            group.swap(queue_);
        }
        const std::exception_ptr failed = attempt([&] {
            std::vector<Request*> requests;
            for (Waiting* waiting : group) requests.push_back(waiting->request);
            serve(requests);
        });
        for (Waiting* waiting : group) {
            if (failed != nullptr && waiting->request->error == nullptr) waiting->request->error = failed;
            waiting->served = true;
        }
    }

    std::mutex writer_role_;
    std::mutex queue_mutex_;
    std::vector<Waiting*> queue_;  // guarded by queue_mutex_
};

}  // namespace kith::inline v0_single::detail

// kith/collection/durable_store.hpp — what the engine asks of a directory, and the door to the compiled unit.
//
// A collection in memory has none of this. One that survives hands each batch to append() before it applies it. What is
// in memory becomes files in four steps, and only the first and the last of them keep a writer waiting:
//
//   end_log_file     the log up to here is what the checkpoint will hold                               writer role
//   write_segment    the files of each segment in memory                                               keeper role
//   commit           rows, keys and the state record in one transaction: the commit point              keeper role
//   release_log      the files of the log that the checkpoint holds                                    both roles
//
// A merge is write_segment, then copy_rows, then commit_merge, which leaves the number of the last batch as it was.
//
// Thread safety: append, sync and end_log_file belong to whoever holds the engine's writer role; what is marked so, to
// whoever holds its keeper role (one thread at a time, beside writers); write_segment and copy_rows may also run outside
// of it. The rest may be called by any number of threads at once.

// kith/collection/engine_schema.hpp — what the engine knows of a schema: names, sizes, and how to make an index.
//
// The engine moves keys, rows and vectors as bytes, so one engine serves every schema, typed or known only at run
// time. Only the factories below are instantiated for each vector field.

// kith/core/residency.hpp — bytes of files that are larger than memory, kept in it while they are read.
//
// Who reads bytes that may not be in memory says which before, and when it is done with them. In between they stay.
// Whoever brings them in limits how much is in memory at a time, and sees to it that they are what was written. Bytes
// that nobody has to bring in have no Residency; then all of this costs a branch.
//
// Pointers into such bytes are always valid: reading without a word is right too, but then nobody has checked what is
// read, and it counts for no limit.
//
// Thread safety: any number of threads may hold bytes of one Residency; a Held belongs to one.

namespace kith::inline v0_single {

/// Sees to it that bytes are in memory.
class Residency {
public:
    struct Piece {
        const void* first = nullptr;
        std::size_t bytes = 0;
    };

    /// Whether what is read now is likely to be read again soon.
    enum class Use : std::uint8_t { at_random, in_order };

    // What is held at once. More is brought in, but may go again before it is released.
    static constexpr std::size_t most_pieces = 32;
    static constexpr std::size_t most_bytes = std::size_t{1} << 21;

    Residency() = default;
    Residency(const Residency&) = delete;
    Residency& operator=(const Residency&) = delete;

    /// Brings bytes in and keeps them until release() is called with what this returns.
    /// Ensures: reading them is no error, whatever happened; what is damaged reads as something else.
    [[nodiscard]] virtual void* hold(std::span<const Piece> pieces, Use use) noexcept = 0;
    virtual void release(void* held) noexcept = 0;

protected:
    ~Residency() = default;
};

/// Keeps bytes in memory while it lives.
class Held {
public:
    Held() noexcept = default;

    /// Nothing happens where `residency` is null.
    Held(Residency* residency, const void* first, std::size_t bytes,
         Residency::Use use = Residency::Use::at_random) noexcept
        : residency_(residency) {
        if (residency_ != nullptr) [[unlikely]]
            hold_one({first, bytes}, use);
    }

    Held(Residency& residency, std::span<const Residency::Piece> pieces, Residency::Use use) noexcept
        : residency_(&residency), ticket_(residency.hold(pieces, use)) {}

    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    ~Held() {
        if (residency_ != nullptr) [[unlikely]]
            residency_->release(ticket_);
    }

private:
    // Not inline: what is never called must not keep from being inline what always is.
    [[gnu::noinline, gnu::cold]] void hold_one(Residency::Piece piece, Residency::Use use) noexcept {
        ticket_ = residency_->hold({&piece, 1}, use);
    }
    [[gnu::noinline, gnu::cold]] void release() noexcept { residency_->release(ticket_); }

    Residency* residency_ = nullptr;  // null: nobody has to do anything
    void* ticket_ = nullptr;          // what hold() returned
};

/// Copies bytes, each of them while it is held. Requires: they do not overlap.
inline void copy_held(Residency* residency, void* to, const void* from, std::size_t bytes) noexcept {
    auto* const begin = static_cast<std::byte*>(to);
    const auto* const source = static_cast<const std::byte*>(from);
    for (std::size_t done = 0; done < bytes; done += Residency::most_bytes) {
        const std::size_t now = std::min(bytes - done, Residency::most_bytes);
        const Held held(residency, source + done, now, Residency::Use::in_order);
        std::memcpy(begin + done, source + done, now);
    }
}

/// The bytes of an image, or of a part of it, and who brings them into memory.
struct ImageBytes {
    std::span<const std::byte> bytes;
    Residency* residency = nullptr;  // null: they are in memory

    ImageBytes() noexcept = default;
    ImageBytes(std::span<const std::byte> all, Residency* brought_by = nullptr) noexcept  // NOLINT: bytes are an image
        : bytes(all), residency(brought_by) {}

    [[nodiscard]] std::size_t size() const noexcept { return bytes.size(); }
    [[nodiscard]] bool empty() const noexcept { return bytes.empty(); }
    [[nodiscard]] const std::byte* data() const noexcept { return bytes.data(); }
    [[nodiscard]] ImageBytes subspan(std::size_t offset, std::size_t count = std::dynamic_extent) const noexcept {
        return {bytes.subspan(offset, count), residency};
    }

    /// Keeps up to `count` bytes from `offset` on in memory.
    [[nodiscard]] Held hold(std::size_t offset, std::size_t count) const noexcept {
        if (residency == nullptr || offset >= bytes.size()) return {};
        const std::size_t there = bytes.size() - offset;
        return {residency, bytes.data() + offset, count < there ? count : there, Residency::Use::in_order};
    }
};

}  // namespace kith::inline v0_single

// kith/core/slot.hpp — the dense number a segment gives each record.
//
// An index sees slots and nothing else: a slot is the position of a vector in its rows and of a node in its graph.
// Slots are given out in order from 0 and never reused while the segment lives.

namespace kith::inline v0_single {

using Slot = std::uint32_t;

/// No slot: an empty link in a graph, a key that is absent. On disk: never change.
inline constexpr Slot no_slot = 0xffffffff;

}  // namespace kith::inline v0_single

// kith/index/index_space.hpp — how many bytes an index takes, said before it is built.
//
// Whoever has a budget asks before the work. What is said holds for vectors as they come, a few at a time: codes and
// lists are learned anew on the way, and the former ones stay for searches that may be reading them.
//
// Thread safety: plain values.

namespace kith::inline v0_single {

struct IndexSpace {
    std::uint64_t memory_bytes = 0;  ///< while it is built, and until it is written to a file and mapped from there
    std::uint64_t disk_bytes = 0;    ///< in files

    IndexSpace& operator+=(const IndexSpace& other) noexcept {
        memory_bytes += other.memory_bytes;
        disk_bytes += other.disk_bytes;
        return *this;
    }
    friend IndexSpace operator+(IndexSpace a, const IndexSpace& b) noexcept { return a += b; }
};

}  // namespace kith::inline v0_single

// kith/index/vector_index.hpp — the rows and the index of one vector field of one segment, behind one virtual call.
//
// A collection holds fields of many metrics and indexes, known when it is compiled or only when it runs. It reaches
// them all through this seam, which costs one virtual call a query or a batch, never one a distance.
//
// Thread safety: append, truncate and rows belong to one writer. index_up_to may run beside it, one call at a time.
// indexed, vector, score and the searches may be called by any number of threads beside both, for slots
// whose append happened before the call. No search waits for anyone.

// kith/core/neighbor.hpp — a slot and how far it is from the query.

namespace kith::inline v0_single {

/// One answer of a search inside a segment. Nearer first; equal distances order by slot, so that the same data and
/// the same request always give the same answer.
struct Neighbor {
    float distance = 0;
    Slot slot = no_slot;

    friend constexpr bool operator==(const Neighbor& a, const Neighbor& b) noexcept {
        return a.distance == b.distance && a.slot == b.slot;
    }
    friend constexpr bool operator<(const Neighbor& a, const Neighbor& b) noexcept {
        return a.distance < b.distance || (a.distance == b.distance && a.slot < b.slot);
    }
};

}  // namespace kith::inline v0_single

// kith/index/search_params.hpp — what one search asks of an index.

// kith/core/bitset_view.hpp — which slots of a segment a search may return.
//
// Deletes, conditions and snapshots all reach an index as this one view: the first `count` slots exist, and those
// whose bit is set are excluded. The common case, nothing excluded, holds no bits and costs one comparison.
//
// Thread safety: a view is immutable; the words it points to must not change while it is in use.

namespace kith::inline v0_single {

class BitsetView {
public:
    /// Allows nothing.
    constexpr BitsetView() noexcept = default;

    /// Allows every slot below `count`.
    constexpr explicit BitsetView(Slot count) noexcept : count_(count), allowed_(count) {}

    /// Allows the slots below `count` whose bit in `excluded` is 0.
    /// Shape: `excluded` holds (count + 63) / 64 words, slot s is bit s % 64 of word s / 64; null excludes nothing.
    constexpr BitsetView(const std::uint64_t* excluded, Slot count) noexcept
        : excluded_(excluded), count_(count), allowed_(excluded == nullptr ? count : no_slot) {}

    /// The same, where it is known how many slots it allows.
    constexpr BitsetView(const std::uint64_t* excluded, Slot count, Slot allowed) noexcept
        : excluded_(excluded), count_(count), allowed_(allowed) {}

    [[nodiscard]] constexpr bool allows(Slot slot) const noexcept {
        return slot < count_ && (excluded_ == nullptr || ((excluded_[slot / 64] >> (slot % 64)) & 1U) == 0);
    }

    /// Which of the slots from 64 * word on are allowed: bit i for slot 64 * word + i.
    /// Requires: 64 * word is below count().
    [[nodiscard]] constexpr std::uint64_t allowed_word(Slot word) const noexcept {
        const std::uint64_t allowed = excluded_ == nullptr ? ~std::uint64_t{0} : ~excluded_[word];
        const Slot rest = count_ - word * 64;
        return rest < 64 ? allowed & ((std::uint64_t{1} << rest) - 1) : allowed;
    }

    /// The number of slots that exist, excluded ones among them.
    [[nodiscard]] constexpr Slot count() const noexcept { return count_; }

    /// True when no bit is looked at: every slot below count() is allowed.
    [[nodiscard]] constexpr bool all() const noexcept { return excluded_ == nullptr; }

    /// The number of slots that are allowed. Cost: a bit count per 64 slots, where it is not known.
    [[nodiscard]] constexpr Slot count_allowed() const noexcept {
        if (allowed_ != no_slot) return allowed_;
        const std::size_t words = (std::size_t{count_} + 63) / 64;  // as a Slot, the end of the last may not exist
        Slot allowed = 0;
        for (std::size_t word = 0; word < words; ++word) {
            allowed += static_cast<Slot>(std::popcount(allowed_word(static_cast<Slot>(word))));
        }
        return allowed;
    }

    /// The same exclusions over the first `count` slots only.
    /// Requires: count is at most count().
    [[nodiscard]] constexpr BitsetView first(Slot count) const noexcept {
        return count == count_ ? *this : BitsetView(excluded_, count);
    }

private:
    const std::uint64_t* excluded_ = nullptr;  // null, or count_ bits: 1 means excluded
    Slot count_ = 0;                           // slots at or past it do not exist for this search
    Slot allowed_ = 0;                         // how many are allowed; no_slot: not counted yet
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

struct SearchParams {
    std::size_t limit = 10;        ///< neighbours wanted; more than there are is fine
    std::uint32_t ef_search = 64;  ///< candidates a graph search keeps, at least `limit`: more is slower, finds more
    BitsetView allowed;            ///< the slots that exist for this search and may be returned
    std::uint32_t nprobe = 0;      ///< lists an IVF search reads; 0: what the index was made with
    /// A graph search ends once what it would walk to next is farther than this many times the distance of the last
    /// neighbour wanted: 1.1 looks a little farther, 1.4 a lot. Unlike ef_search it spends more on queries that need
    /// more. 0: only ef_search ends a search. Not for InnerProduct, whose distances have no zero.
    float stretch = 0;
    std::size_t stretched = 0;  ///< it is the distance of this neighbour that is stretched; 0: of the last wanted
    Slot absent = no_slot;      ///< a graph search goes around this slot, as if it were not there
    /// Only neighbours nearer than this are of use. A graph search looks beyond it no farther than beyond the last wanted,
    /// and may then return fewer than there are; the others take no notice.
    float bound = std::numeric_limits<float>::infinity();
    float rescore = 0;  ///< codes: compare `limit` times this many by their full vectors; 0: the quantizer's
};

/// Recall is measured for at most 100 neighbours. By how much an effort is raised for more of them.
[[nodiscard]] constexpr float beyond_measured(std::size_t limit) noexcept {
    return limit <= 100 ? 1.0F : static_cast<float>(limit) / 100;
}

}  // namespace kith::inline v0_single

// kith/index/search_plan.hpp — how an index would go about a search, before it does.

namespace kith::inline v0_single {

enum class SearchWay : std::uint8_t {
    compare_all,   ///< the index compares everything, always
    scan_cheaper,  ///< so few vectors may be returned that comparing them costs less than finding a way to them
    not_indexed,   ///< nothing is in the index yet
    indexed,       ///< the index is asked; what it does not hold yet is compared
};

struct SearchPlan {
    std::string_view index;  ///< the stored name, as "hnsw/sq4"
    SearchWay way = SearchWay::compare_all;
    Slot indexed = 0;     ///< slots in the index; the rest is compared
    Slot calibrated = 0;  ///< slots it had when its recall was measured; 0: never
    SearchParams params;  ///< what the index is asked for
};

}  // namespace kith::inline v0_single

// kith/index/search_scratch.hpp — the memory one search works in, kept from search to search.
//
// A search marks the slots it met, keeps its best candidates, and scores a block of neighbours at a time. All of that
// is here, grows to what the largest search needed, and is then used again without a call to the allocator.
//
// Thread safety: none; every searching thread owns its own. One scratch serves any number of indexes in turn.

// kith/core/scratch_memory.hpp — memory for one prepared query, kept from query to query.
//
// A query against codes is prepared first: rotated, quantized, turned into tables. What that takes depends on the
// codes, so it is bytes here; it grows to the largest preparation and is then used again without a call to the
// allocator.
//
// Thread safety: none; every searching thread owns its own.

namespace kith::inline v0_single {

class ScratchMemory {
public:
    static constexpr std::size_t alignment = 64;

    ScratchMemory() noexcept = default;
    ScratchMemory(ScratchMemory&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          nested_(std::move(other.nested_)) {}
    ScratchMemory& operator=(ScratchMemory&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(nested_, other.nested_);
        return *this;
    }
    ScratchMemory(const ScratchMemory&) = delete;
    ScratchMemory& operator=(const ScratchMemory&) = delete;
    ~ScratchMemory() { release(); }

    /// At least `bytes` bytes, aligned to a cache line; what an earlier call returned is given up.
    /// Throws: std::bad_alloc when it has to grow; what was there is then gone too.
    [[nodiscard]] std::byte* take(std::size_t bytes) {
        if (bytes > size_) {
            release();
            data_ = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment}));
            size_ = bytes;
        }
        return data_;
    }

    /// The same for elements of a plain type.
    template <class T>
    [[nodiscard]] T* take_array(std::size_t count) {
        return reinterpret_cast<T*>(take(count * sizeof(T)));
    }

    /// Another one, for what is prepared with the help of what this one holds. Throws: std::bad_alloc, the first time.
    [[nodiscard]] ScratchMemory& nested() {
        if (!nested_) nested_ = std::make_unique<ScratchMemory>();
        return *nested_;
    }

private:
    void release() noexcept {
        ::operator delete(data_, std::align_val_t{alignment});
        data_ = nullptr;
        size_ = 0;
    }

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;  // bytes at data_
    std::unique_ptr<ScratchMemory> nested_;
};

}  // namespace kith::inline v0_single

// kith/index/candidate.hpp — what a beam search keeps of a slot, and the sorted pool it keeps it in.
//
// A candidate is one 64-bit number whose order is (distance, slot), so a comparison is one instruction, equal
// distances need no second look, and even NaN has its place (behind everything). The beam is a plain sorted array:
// for a few hundred entries, moving half of them by memmove is cheaper than a heap's mispredicted branches.
//
// Thread safety: none; every searching thread owns its own.

namespace kith::inline v0_single {

/// A slot with its distance and one mark, which its owner gives a meaning.
/// Requires: slot is below 2^31.
class Candidate {
public:
    constexpr Candidate() noexcept = default;
    constexpr Candidate(float distance, Slot slot, bool marked = false) noexcept
        : bits_((std::uint64_t{ordered(distance)} << 32) | (std::uint64_t{slot} << 1) | std::uint64_t{marked}) {}

    [[nodiscard]] constexpr Slot slot() const noexcept { return static_cast<Slot>(bits_) >> 1; }
    [[nodiscard]] constexpr bool marked() const noexcept { return (bits_ & 1) != 0; }
    constexpr void mark() noexcept { bits_ |= 1; }
    [[nodiscard]] constexpr Candidate unmarked() const noexcept { return Candidate(bits_ & ~std::uint64_t{1}); }

    [[nodiscard]] constexpr float distance() const noexcept {
        const auto bits = static_cast<std::uint32_t>(bits_ >> 32);
        return std::bit_cast<float>((bits & sign_bit) != 0 ? bits ^ sign_bit : ~bits);
    }
    [[nodiscard]] constexpr Neighbor neighbor() const noexcept { return {distance(), slot()}; }

    /// Orders by distance, then slot.
    friend constexpr auto operator<=>(const Candidate&, const Candidate&) noexcept = default;

private:
    constexpr explicit Candidate(std::uint64_t bits) noexcept : bits_(bits) {}

    static constexpr std::uint32_t sign_bit = 0x80000000;

    /// The bits of a float as a number with the same order. Adding zero makes -0 equal to 0.
    static constexpr std::uint32_t ordered(float distance) noexcept {
        const auto bits = std::bit_cast<std::uint32_t>(distance + 0.0F);
        return bits ^ ((bits & sign_bit) != 0 ? ~std::uint32_t{0} : sign_bit);
    }

    std::uint64_t bits_ = 0;  // ordered distance, slot, mark, from high to low
};

/// When a walk ends, besides having expanded all it kept: see SearchParams::stretch and bound.
struct Horizon {
    std::size_t count = 1;  ///< candidates wanted
    float stretch = 0;      ///< 0: it does not end by distance
    float bound = std::numeric_limits<float>::infinity();
    std::size_t fewest = 1;  ///< the walk goes on to so many, at most `count`, whatever their distance
};

/// The nearest candidates so far, sorted; a marked one was expanded.
class CandidatePool {
public:
    /// Empties the pool and makes room for the nearest `capacity`.
    /// Requires: capacity is positive. Throws: std::bad_alloc when it has to grow.
    void reset(std::size_t capacity) {
        if (items_.size() < capacity) items_.resize(capacity);
        capacity_ = capacity;
        size_ = 0;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] Candidate& operator[](std::size_t at) noexcept { return items_[at]; }
    [[nodiscard]] const Candidate* begin() const noexcept { return items_.data(); }
    [[nodiscard]] const Candidate* end() const noexcept { return items_.data() + size_; }

    /// No candidate at a greater distance than this is kept.
    [[nodiscard]] float worst_distance() const noexcept {
        return size_ < capacity_ ? std::numeric_limits<float>::infinity() : items_[size_ - 1].distance();
    }

    /// How far a walk goes: `stretch` times the distance of the last candidate it wants.
    [[nodiscard]] float reach(const Horizon& horizon) const noexcept {
        constexpr float everywhere = std::numeric_limits<float>::infinity();
        if (horizon.stretch == 0 || size_ < horizon.fewest) return everywhere;
        float last = std::max(horizon.bound, items_[horizon.fewest - 1].distance());
        if (size_ >= horizon.count) last = std::min(last, items_[horizon.count - 1].distance());
        if (last == everywhere) return last;
        return last + (horizon.stretch - 1) * (last < 0 ? -last : last);  // estimates of a distance may be below zero
    }

    [[nodiscard]] bool full() const noexcept { return size_ == capacity_; }

    /// Keeps `candidate` if it is among the nearest; its position then, else size(). A full pool takes none that is as
    /// far as its last: or else a walk among a thousand equal vectors would go on to the one with the lowest slot.
    /// Forced inline: called, it adds 3 % to the instructions of a search.
    [[gnu::always_inline]] std::size_t offer(Candidate candidate) noexcept {
        Candidate* const items = items_.data();
        const bool full = this->full();
        if (full && !(candidate.distance() < items[size_ - 1].distance())) return size_;
        const auto at = static_cast<std::size_t>(std::lower_bound(items, items + size_, candidate) - items);
        if (!full) ++size_;
        std::memmove(items + at + 1, items + at, (size_ - 1 - at) * sizeof(Candidate));
        items[at] = candidate;
        return at;
    }

private:
    std::vector<Candidate> items_;  // the first size_ are sorted
    std::size_t size_ = 0;          // at most capacity_
    std::size_t capacity_ = 0;      // at most items_.size()
};

}  // namespace kith::inline v0_single

// kith/index/ivf_candidates.hpp — the nearest of a stream of whole numbers, without comparing any two of them.
//
// A scan names thousands of vectors and keeps hundreds. Estimates are integers, so they are counted in bins as they
// come, and the bin in which the last one wanted lies is the threshold for those that follow. In the end one pass over
// the bins puts the kept ones in order.
//
// Thread safety: none; every searching thread owns its own.

namespace kith::inline v0_single {

struct IvfCandidate {
    std::uint32_t estimate = 0;
    std::uint32_t place = 0;  ///< among the blocks of the lists; its slot is looked up only if it is kept
};

class IvfCandidates {
public:
    static constexpr std::uint32_t unlimited = std::numeric_limits<std::uint32_t>::max();

    /// Keeps the nearest `wanted`, of estimates that mostly lie below `reach`.
    /// Requires: wanted is positive. Throws: std::bad_alloc when it has to grow.
    void reset(std::size_t wanted, std::uint32_t reach) {
        wanted_ = wanted;
        shift_ = 0;
        while ((reach >> shift_) >= bins) ++shift_;
        counts_.fill(0);
        within_ = 0;
        last_ = bins - 1;
        if (items_.capacity() < 4 * wanted) items_.reserve(4 * wanted);
        items_.clear();
    }

    /// No estimate past this is kept.
    [[nodiscard]] std::uint32_t threshold() const noexcept {
        return last_ == bins - 1 ? unlimited : ((last_ + 1) << shift_) - 1;
    }

    /// As many as were kept and still lie within the threshold.
    [[nodiscard]] std::size_t size() const noexcept { return within_; }

    /// Requires: estimate is at most threshold(). Throws: std::bad_alloc when it has to grow.
    void add(std::uint32_t estimate, std::uint32_t place) {
        const std::uint32_t bin = bin_of(estimate);
        if (bin > last_) return;
        if (items_.size() == items_.capacity()) drop_far();
        items_.push_back({estimate, place});
        ++counts_[bin];
        ++within_;
        while (within_ - counts_[last_] >= wanted_) within_ -= counts_[last_--];
    }

    /// Writes the kept ones to `out`, nearest bin first and in the order they came within one; returns how many.
    /// Ends the use of this object until the next reset. Shape: `out` has room for size().
    std::size_t ordered(IvfCandidate* out) noexcept {
        std::uint32_t begin = 0;
        for (std::uint32_t bin = 0; bin <= last_; ++bin) {
            const std::uint32_t count = counts_[bin];
            counts_[bin] = begin;
            begin += count;
        }
        for (const IvfCandidate& item : items_) {
            const std::uint32_t bin = bin_of(item.estimate);
            if (bin <= last_) out[counts_[bin]++] = item;
        }
        return begin;
    }

private:
    static constexpr std::uint32_t bins = 2048;

    [[nodiscard]] std::uint32_t bin_of(std::uint32_t estimate) const noexcept {
        return std::min(estimate >> shift_, bins - 1);
    }

    void drop_far() {
        const auto far = [this](const IvfCandidate& item) { return bin_of(item.estimate) > last_; };
        items_.erase(std::remove_if(items_.begin(), items_.end(), far), items_.end());
        if (items_.size() * 2 > items_.capacity()) items_.reserve(items_.capacity() * 2);
    }

    std::array<std::uint32_t, bins> counts_{};  // of the items in each bin
    std::vector<IvfCandidate> items_;           // those within the threshold, and some that no longer are
    std::size_t wanted_ = 0;
    std::size_t within_ = 0;  // items in bins up to last_
    std::uint32_t last_ = 0;  // without this bin there are fewer than wanted_, or it is the last of all
    unsigned shift_ = 0;      // an estimate's bin is what is left without so many low bits
};

}  // namespace kith::inline v0_single

// kith/index/visited_set.hpp — the slots one search has already met.
//
// A search meets a few thousand slots out of millions, at random. One bit a slot is 128 KB for a million and stays in
// the near cache; clearing it takes some 3 µs of such a search. A 16-bit stamp a slot, which needs no clearing, was
// just as fast with 331,000 slots and takes 16 times the memory in each searching thread.
//
// Thread safety: none; every searching thread owns its own set.
// Source: Malkov & Yashunin, arXiv:1603.09320, Algorithm 2 (the set v).

namespace kith::inline v0_single {

class VisitedSet {
public:
    /// Empties the set and makes room for slots below `count`.
    /// Throws: std::bad_alloc when it has to grow; the set is then as before.
    void clear(Slot count) {
        const std::size_t needed = (std::size_t{count} + 63) / 64;
        if (words_.size() < needed) words_.resize(needed + needed / 2);
        std::fill_n(words_.begin(), needed, std::uint64_t{0});
    }

    /// Marks `slot`; true when this search meets it for the first time.
    /// Requires: slot is below the count last given to clear().
    bool insert(Slot slot) noexcept {
        std::uint64_t& word = words_[slot / 64];
        const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
        const bool first = (word & bit) == 0;
        word |= bit;
        return first;
    }

    /// Bytes that a set grown to `count` slots holds, on average.
    [[nodiscard]] static std::size_t bytes_for(Slot count) noexcept { return std::size_t{count} / 8 * 5 / 4; }

private:
    std::vector<std::uint64_t> words_;  // bit s % 64 of word s / 64: slot s was met
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// What is inside belongs to the index layer; others make one a thread and hand it in.
struct SearchScratch {
    ScratchMemory query;  // the prepared query
    VisitedSet visited;
    CandidatePool pool;                // the beam
    CandidatePool nearest;             // with exclusions: the nearest allowed of the beam, as many as are wanted
    std::vector<Candidate> frontier;   // with exclusions: what is still to expand, a heap with the nearest on top
    std::vector<Neighbor> neighbors;   // answers of the graph, before those of the scan join them
    ScratchMemory lists;               // IVF: distances of the lists, tables, blocks
    IvfCandidates candidates;          // IVF: the best by their codes
    std::vector<Neighbor> coarse;      // answers by codes, before they are compared by their vectors
    std::vector<ScratchMemory> batch;  // the prepared queries of a batch
};

}  // namespace kith::inline v0_single

// kith/quantize/training.hpp — how anything that learns from vectors is told to learn.

namespace kith::inline v0_single {

struct Training {
    std::uint64_t seed = 0x6b697468;  ///< same seed, same sample, same thread count or not: the same outcome
    unsigned threads = 1;
    /// Called from the training thread with the share that is done, 0 to 1, several times a second where training takes
    /// that long; false cancels. It may throw. What was being trained is then as before.
    std::function<bool(double done)> progress;

    /// Throws: Errc::cancelled when `progress` says so, and what `progress` throws.
    void report(double done) const {
        if (progress && !progress(done)) raise(Errc::cancelled, "training was cancelled; nothing has changed");
    }

    /// The same for a step of the whole, which goes on from the share `first` to the share `last`. Refers to this.
    [[nodiscard]] Training part(double first, double last) const {
        Training step{.seed = seed, .threads = threads, .progress = {}};
        if (!progress) return step;
        step.progress = [this, first, last](double done) { return progress(first + (last - first) * done); };
        return step;
    }
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// Takes the next bytes of an image that is being written.
using ByteSink = std::function<void(const void* data, std::size_t bytes)>;

class VectorIndex {
public:
    VectorIndex() = default;
    VectorIndex(const VectorIndex&) = delete;
    VectorIndex& operator=(const VectorIndex&) = delete;
    virtual ~VectorIndex() = default;

    /// Floats of each vector and query, whatever elements the rows are made of.
    [[nodiscard]] virtual std::size_t dim() const noexcept = 0;

    /// Rows appended so far: the slot the next one gets.
    [[nodiscard]] virtual Slot rows() const noexcept = 0;

    /// The first so many slots are in the index, or wait for it to learn from more; what is not in it is scanned.
    [[nodiscard]] virtual Slot indexed() const noexcept = 0;

    /// Copies a vector into the next row, each float rounded to the nearest element within the range of the rows' type.
    /// Requires: rows() is below the capacity; the index is not mapped.
    /// Shape: `vector` holds dim() elements, finite, and not all zero under Cosine.
    virtual void append(const float* vector) noexcept = 0;

    /// Takes over the rows of `other` and its index over them, slot for slot: as if they had been appended and indexed
    /// here, at the cost of a copy. Slots that are appended later join what is there. False, and nothing has changed,
    /// where `other` is of another kind, metric, element, dimension or parameters, or is damaged.
    /// Requires: this is empty, not mapped, and not searched meanwhile; other.rows() is at most its capacity; `other`,
    ///           mapped or not, does not change meanwhile.
    /// Ensures: what is damaged in files that are read through a cache is found by who reads it, and was copied.
    /// Throws: for want of memory; this is to be thrown away then.
    [[nodiscard]] virtual bool adopt(const VectorIndex& other) = 0;

    /// Forgets the rows from `count` on.
    /// Requires: indexed() is at most `count`, and no search was told of the rows that go.
    virtual void truncate(Slot count) noexcept = 0;

    /// Puts the slots from indexed() up to `count` into the index; returns when they are there.
    /// Requires: `count` is at most rows(), as seen by the caller.
    /// Throws: for want of memory; indexed() then says how far it came, and a later call goes on from there.
    virtual void index_up_to(Slot count, unsigned threads) = 0;

    /// Copies the vector of a slot, bit for bit as it was appended to rows of floats, and exactly what is kept of it in
    /// others. Shape: `out` has room for dim() elements.
    virtual void vector(Slot slot, float* out) const noexcept = 0;

    /// The nearest allowed slots: the index is asked for those it holds, the rest up to params.allowed.count() is
    /// scanned. Returns min(params.limit, allowed slots) of them, never fewer but where params.bound is finite.
    /// Ensures: nearest first, equal distances by slot.
    /// Shape: `query` holds dim() elements, `out` has room for min(params.limit, params.allowed.count()).
    /// Throws: std::bad_alloc while `scratch` still grows; after that nothing is allocated.
    virtual std::size_t search(const float* query, const SearchParams& params, SearchScratch& scratch,
                               Neighbor* out) const = 0;

    /// How search() would go about it with these parameters.
    [[nodiscard]] virtual SearchPlan plan(const SearchParams& params) const noexcept = 0;

    /// As search, with every allowed slot compared.
    virtual std::size_t search_exact(const float* query, const SearchParams& params, SearchScratch& scratch,
                                     Neighbor* out) const = 0;

    /// What search() answers to each of `count` queries, the same to the last bit, by as many threads as there are
    /// scratches. found[i] is what it returns for query i.
    /// Requires: there is a scratch.
    /// Shape: `queries` holds count · dim() elements; the answers to query i begin at out + i · width, where width is
    ///        min(params.limit, params.allowed.count()) and `out` has room for count · width. `bounds`, where it is
    ///        given, has SearchParams::bound of each query.
    /// Cost: where every row is compared, the rows are read once for 256 queries.
    virtual void search_many(const float* queries, std::size_t count, const SearchParams& params,
                             std::span<SearchScratch* const> scratches, Neighbor* out, std::size_t* found,
                             const float* bounds = nullptr) const = 0;

    /// As search_many, with every allowed slot compared. Fewer queries than threads are answered one after the other,
    /// each by all threads.
    virtual void search_exact_many(const float* queries, std::size_t count, const SearchParams& params,
                                   std::span<SearchScratch* const> scratches, Neighbor* out,
                                   std::size_t* found) const = 0;

    /// Whether calibrate() would pay: the index has twice the slots it was measured with, or outgrew what it learned.
    /// Thread safety: as index_up_to, and not beside it.
    [[nodiscard]] virtual bool calibration_due() const noexcept = 0;

    /// Trains anew an index that has outgrown what it learned, and measures what recall each effort gives, for tuned().
    /// Nothing happens where every search is exact.
    /// Cost: 200 exact searches and some 5000 indexed ones.
    /// Thread safety: as index_up_to, and not beside it.
    /// Throws: Errc::cancelled and what training.progress throws; tuned() then guesses or knows what it
    ///         knew.
    virtual void calibrate(const Training& training = {}) = 0;

    /// Slots that were in the index when it was last calibrated; 0 before, and always where every search is exact.
    [[nodiscard]] virtual Slot calibrated() const noexcept = 0;

    /// `params` with the effort that finds the share `recall` of the nearest params.limit; nothing where only an exact
    /// search does. Before the first calibration it is a cautious guess.
    [[nodiscard]] virtual std::optional<SearchParams> tuned(double recall, SearchParams params) const noexcept = 0;

    /// A distance in the convention the metric shows to users.
    [[nodiscard]] virtual float score(float distance) const noexcept = 0;

    /// Writes the image of the rows, or of the graph, that map_vector_index reads. The caller adds the checksum.
    /// Requires: every row is indexed, and nothing changes meanwhile.
    /// Throws: what `sink` throws.
    virtual void save_rows(const ByteSink& sink) const = 0;
    virtual void save_graph(const ByteSink& sink) const = 0;

    /// Bytes of memory of its own that hold something: rows, graph, codes, curves, and what of them is kept for searches
    /// that may be reading it. What is mapped counts nothing, nor does memory that is reserved and was never written.
    /// Thread safety: as index_up_to, and not beside it.
    [[nodiscard]] virtual std::size_t memory_bytes() const noexcept = 0;

    /// An address that indexes of one type share, and none of another type has.
    [[nodiscard]] virtual const void* kind() const noexcept = 0;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

struct VectorFieldType {
    std::string_view name;
    std::string_view index;  // what makes graphs: on disk, in each
    std::size_t dim = 0;
    std::size_t bytes = 0;  // of a vector in a batch
    /// The floats of a vector in a batch.
    void (*read)(const char* bytes, std::size_t dim, float* out) noexcept = nullptr;
    /// An empty index in memory for up to `capacity` rows.
    std::unique_ptr<VectorIndex> (*make)(std::size_t dim, Slot capacity) = nullptr;
    /// An index of `count` rows over bytes that VectorIndex::save_rows and save_graph wrote; nothing is copied.
    std::unique_ptr<VectorIndex> (*map)(std::size_t dim, Slot count, const ImageBytes& rows,
                                        const ImageBytes& graph) = nullptr;
    /// The same without a graph, whose vectors are compared one by one.
    std::unique_ptr<VectorIndex> (*map_flat)(std::size_t dim, Slot count, const ImageBytes& rows,
                                             const ImageBytes& nothing) = nullptr;
    /// What `count` vectors take, in memory until they are sealed and on disk from then on.
    IndexSpace (*space)(std::size_t dim, Slot count) = nullptr;
};

struct EngineSchema {
    std::string descriptor;
    std::uint64_t fingerprint = 0;
    std::vector<VectorFieldType> vectors;
    /// A key as a person writes it, for messages.
    std::string (*show_key)(std::string_view key) = nullptr;
    /// Readable lines on what differs between two descriptors in how records are stored; none when nothing does.
    std::string (*difference)(std::string_view stored, std::string_view current) = nullptr;

    /// Bytes of the vector fields of one record.
    [[nodiscard]] std::size_t vector_bytes() const noexcept {
        std::size_t bytes = 0;
        for (const VectorFieldType& field : vectors) bytes += field.bytes;
        return bytes;
    }
};

}  // namespace kith::inline v0_single::detail

// kith/collection/key_map.hpp — where each key's newest version lives, for keys changed since the last checkpoint.
//
// A key that is not in the map is as the environment has it; a key that maps to nothing was erased.
//
// Thread safety: none; its owner locks.

// kith/collection/record_id.hpp — where one version of a record lives.

namespace kith::inline v0_single::detail {

/// A segment and a slot in it. A record that is replaced gets a new id; an id is never used twice.
struct RecordId {
    std::uint32_t segment = 0;
    Slot slot = no_slot;

    /// One number that orders as (segment, slot) does. On disk: never change.
    [[nodiscard]] constexpr std::uint64_t packed() const noexcept {
        return (static_cast<std::uint64_t>(segment) << 32) | slot;
    }

    static constexpr RecordId unpack(std::uint64_t packed) noexcept {
        return {static_cast<std::uint32_t>(packed >> 32), static_cast<Slot>(packed)};
    }

    friend constexpr auto operator<=>(const RecordId&, const RecordId&) noexcept = default;
};

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key); }
};

/// Key bytes to the record's id, or to nothing when the key was erased.
using KeyMap = std::unordered_map<std::string, std::optional<RecordId>, KeyHash, std::equal_to<>>;

}  // namespace kith::inline v0_single::detail

// kith/collection/merged_segments.hpp — where a merge took the records of several segments.
//
// A merge takes long, and records die meanwhile: what is deleted in the new segment is worked out from what is deleted
// in the old ones at the moment when it takes their place, once as of the checkpoint and once as of the present.
//
// Thread safety: immutable once the merge is built.

// kith/collection/snapshot.hpp — the records one reader sees, unchanged for as long as it looks.
//
// A batch becomes visible by one exchange of a pointer to the next snapshot: the segments, how many slots of each
// exist, and which are deleted. A reader that holds a snapshot sees all of a batch or none of it.
//
// Thread safety: a snapshot is immutable once published.

// kith/collection/segment.hpp — a run of records: their rows, vectors and graphs, by slot.
//
// A segment is written by one thread, linked into its graphs by another, and read by any number. When it is ended no
// record is added any more; then it is sealed: the same id and slots, now mapped from files and read from the
// environment instead of memory.
//
// Thread safety: append and truncate belong to the writer; link_up_to may run beside it; everything const may run
// at any time for slots that a Snapshot has published.

// kith/collection/key_table.hpp — the keys of a sealed segment in order of their bytes, each with its slot.
//
//   key table := u32 version (1); u32 count; u64 bytes of all keys; count × u64 where each key ends;
//                count × u32 slot; the keys, one after the other                                        (on disk)
//
// The environment knows where the newest version of each key is. A snapshot that was overtaken, and a reader process
// whose snapshot is older than the environment, ask the tables of their own segments instead; a merge reads them to
// tell the environment where its records went.
//
// Thread safety: a table is immutable; its bytes outlive it.

// kith/core/bytes.hpp — numbers to bytes and back, little-endian on every machine.
//
// Everything kith stores goes through these two classes, so that no struct is copied whole and no reader walks past
// the end of what it was given.
//
// Thread safety: none; each owner uses its own.

namespace kith::inline v0_single {

namespace detail {

template <std::unsigned_integral T>
constexpr T little_endian(T value) noexcept {
    if constexpr (std::endian::native == std::endian::little || sizeof(T) == 1) {
        return value;
    } else {
        T swapped = 0;
        for (std::size_t byte = 0; byte < sizeof(T); ++byte) {
            swapped = static_cast<T>((swapped << 8) | ((value >> (8 * byte)) & 0xff));
        }
        return swapped;
    }
}

}  // namespace detail

/// Appends values to a string of bytes.
class ByteWriter {
public:
    explicit ByteWriter(std::string& out) noexcept : out_(&out) {}

    void u8(std::uint8_t value) { out_->push_back(static_cast<char>(value)); }
    void u16(std::uint16_t value) { fixed(value); }
    void u32(std::uint32_t value) { fixed(value); }
    void u64(std::uint64_t value) { fixed(value); }
    void f32(float value) { fixed(std::bit_cast<std::uint32_t>(value)); }
    void f64(double value) { fixed(std::bit_cast<std::uint64_t>(value)); }

    /// LEB128: seven bits a byte, lowest first; 1 to 10 bytes.
    void varint(std::uint64_t value) {
        while (value >= 0x80) {
            u8(static_cast<std::uint8_t>(value | 0x80));
            value >>= 7;
        }
        u8(static_cast<std::uint8_t>(value));
    }

    void f32s(std::span<const float> values) {
        if constexpr (std::endian::native == std::endian::little) {
            bytes(values.data(), values.size_bytes());
        } else {
            for (const float value : values) f32(value);
        }
    }

    void bytes(const void* data, std::size_t count) { out_->append(static_cast<const char*>(data), count); }
    void bytes(std::string_view data) { out_->append(data); }

    /// A varint length, then the bytes.
    void sized(std::string_view data) {
        varint(data.size());
        bytes(data);
    }

private:
    template <std::unsigned_integral T>
    void fixed(T value) {
        const T stored = detail::little_endian(value);
        bytes(&stored, sizeof(stored));
    }

    std::string* out_;  // never null; not owned
};

/// Reads values from bytes it does not own. Each read returns false, and moves nothing, when too few bytes are left.
class ByteReader {
public:
    explicit ByteReader(std::string_view data) noexcept : data_(data) {}

    [[nodiscard]] bool u8(std::uint8_t& value) noexcept { return fixed(value); }
    [[nodiscard]] bool u16(std::uint16_t& value) noexcept { return fixed(value); }
    [[nodiscard]] bool u32(std::uint32_t& value) noexcept { return fixed(value); }
    [[nodiscard]] bool u64(std::uint64_t& value) noexcept { return fixed(value); }

    [[nodiscard]] bool f32(float& value) noexcept {
        std::uint32_t bits = 0;
        if (!fixed(bits)) return false;
        value = std::bit_cast<float>(bits);
        return true;
    }

    [[nodiscard]] bool f64(double& value) noexcept {
        std::uint64_t bits = 0;
        if (!fixed(bits)) return false;
        value = std::bit_cast<double>(bits);
        return true;
    }

    /// Fills all of `values`.
    [[nodiscard]] bool f32s(std::span<float> values) noexcept {
        if (values.size_bytes() > remaining()) return false;
        if constexpr (std::endian::native == std::endian::little) {
            if (!values.empty()) std::memcpy(values.data(), data_.data() + offset_, values.size_bytes());
            offset_ += values.size_bytes();
            return true;
        } else {
            bool whole = true;
            for (float& value : values) whole = f32(value) && whole;
            return whole;
        }
    }

    /// False also for a varint of more than 64 bits.
    [[nodiscard]] bool varint(std::uint64_t& value) noexcept {
        std::uint64_t result = 0;
        for (std::size_t byte = 0; byte < 10 && offset_ + byte < data_.size(); ++byte) {
            const auto bits = static_cast<std::uint8_t>(data_[offset_ + byte]);
            if (byte == 9 && bits > 1) return false;
            result |= static_cast<std::uint64_t>(bits & 0x7f) << (7 * byte);
            if ((bits & 0x80) == 0) {
                offset_ += byte + 1;
                value = result;
                return true;
            }
        }
        return false;
    }

    /// The next `count` bytes, in place: they live as long as what the reader was given.
    [[nodiscard]] bool bytes(std::size_t count, std::string_view& value) noexcept {
        if (count > remaining()) return false;
        value = data_.substr(offset_, count);
        offset_ += count;
        return true;
    }

    /// A varint length, then that many bytes, in place.
    [[nodiscard]] bool sized(std::string_view& value) noexcept {
        const std::size_t start = offset_;
        std::uint64_t count = 0;
        if (varint(count) && count <= remaining()) return bytes(static_cast<std::size_t>(count), value);
        offset_ = start;
        return false;
    }

    [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
    [[nodiscard]] std::size_t remaining() const noexcept { return data_.size() - offset_; }

private:
    template <std::unsigned_integral T>
    bool fixed(T& value) noexcept {
        if (remaining() < sizeof(T)) return false;
        T stored = 0;
        std::memcpy(&stored, data_.data() + offset_, sizeof(T));
        value = detail::little_endian(stored);
        offset_ += sizeof(T);
        return true;
    }

    std::string_view data_;
    std::size_t offset_ = 0;  // at most data_.size()
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

struct KeySlot {
    std::string_view key;
    Slot slot = 0;

    friend bool operator<(const KeySlot& a, const KeySlot& b) noexcept { return a.key < b.key; }
};

/// Writes the table of `keys`, which are in order and all different.
inline void write_key_table(const std::vector<KeySlot>& keys,
                            const std::function<void(const void* data, std::size_t bytes)>& sink) {
    std::string head;
    ByteWriter writer(head);
    std::uint64_t end = 0;
    for (const KeySlot& one : keys) end += one.key.size();
    writer.u32(1);
    writer.u32(static_cast<std::uint32_t>(keys.size()));
    writer.u64(end);
    end = 0;
    for (const KeySlot& one : keys) writer.u64(end += one.key.size());
    for (const KeySlot& one : keys) writer.u32(one.slot);
    sink(head.data(), head.size());
    for (const KeySlot& one : keys) sink(one.key.data(), one.key.size());
}

class KeyTable {
public:
    /// A table of no keys.
    KeyTable() = default;

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    explicit KeyTable(std::span<const std::byte> image)
        : bytes_(reinterpret_cast<const char*>(image.data()), image.size()) {
        ByteReader reader(bytes_);
        std::uint32_t version = 0;
        std::uint64_t key_bytes = 0;
        if (!reader.u32(version) || !reader.u32(count_) || !reader.u64(key_bytes)) {
            raise(Errc::corrupt, "key table: ends at offset " + std::to_string(bytes_.size()));
        }
        if (version != 1) {
            raise(Errc::unsupported_version,
                  "key table: has version " + std::to_string(version) + "; this build reads 1");
        }
        const std::uint64_t head = head_bytes + std::uint64_t{count_} * (sizeof(std::uint64_t) + sizeof(Slot));
        if (bytes_.size() < head || bytes_.size() - head != key_bytes) {
            raise(Errc::corrupt, "key table: holds " + std::to_string(bytes_.size()) + " bytes, which is not what " +
                                     std::to_string(count_) + " keys of " + std::to_string(key_bytes) + " bytes take");
        }
        keys_ = bytes_.substr(head);
    }

    [[nodiscard]] Slot size() const noexcept { return count_; }

    /// The key at a place of the order. Bytes that were damaged give some other key, never one outside of the table.
    [[nodiscard]] std::string_view key(Slot at) const noexcept {
        const std::uint64_t first = at == 0 ? 0 : end_of(at - 1);
        const std::uint64_t end = end_of(at);
        return first <= end && end <= keys_.size() ? keys_.substr(first, end - first) : std::string_view();
    }

    [[nodiscard]] Slot slot(Slot at) const noexcept {
        std::uint32_t slot = no_slot;
        const std::size_t first = head_bytes + std::size_t{count_} * sizeof(std::uint64_t);
        static_cast<void>(ByteReader(bytes_.substr(first + std::size_t{at} * sizeof(Slot))).u32(slot));
        return slot;
    }

    /// The slot of a key. Cost: a binary search.
    [[nodiscard]] std::optional<Slot> find(std::string_view wanted) const noexcept {
        Slot first = 0;
        for (Slot left = count_; left > 0;) {
            const Slot half = left / 2;
            if (key(first + half) < wanted) {
                first += half + 1;
                left -= half + 1;
            } else {
                left = half;
            }
        }
        if (first == count_ || key(first) != wanted) return std::nullopt;
        return slot(first);
    }

private:
    static constexpr std::size_t head_bytes = 16;

    [[nodiscard]] std::uint64_t end_of(Slot at) const noexcept {
        std::uint64_t end = 0;
        static_cast<void>(ByteReader(bytes_.substr(head_bytes + std::size_t{at} * sizeof(std::uint64_t))).u64(end));
        return end;
    }

    std::string_view bytes_;   // the whole table
    std::string_view keys_;    // its last part
    std::uint32_t count_ = 0;  // of keys
};

}  // namespace kith::inline v0_single::detail

// kith/collection/row_store.hpp — the keys and encoded rows of a segment that is still being written.
//
// Readers follow a slot to its bytes while the writer appends, so neither the table of rows nor a row ever moves: the
// table lies in reserved address space, the bytes in blocks that are only added to. A key is looked up through the
// hashes of all keys, four bytes a slot in one array: only snapshots that a change has overtaken ask for it.
//
// Thread safety: one writer; any number of readers of slots that were published to them (see Snapshot).

// kith/core/assert.hpp — contracts between our own functions, checked in test builds.
//
// A broken contract is a bug in the caller, never bad input: input is checked at the facade, which raises an Error.
// So the check may vanish from release builds, and where it stands it stops the program at the broken promise.

#ifdef KITH_ASSERTS
#undef NDEBUG
#include <cassert>
#define KITH_ASSERT(condition) assert(condition)
#else
#define KITH_ASSERT(condition) static_cast<void>(0)
#endif

// kith/core/reserved_memory.hpp — address space for an array that grows and never moves.
//
// Readers follow pointers into a segment while its writer appends, so the array must not be reallocated. Address
// space is cheap: the whole capacity is reserved at once and a page costs memory only when it is first written. The
// kernel is asked for 2 MB pages, which cut the cost of a cache miss in a graph search by a third.
//
// Thread safety: none for the object; the bytes are the owner's to share.

namespace kith::inline v0_single {

class ReservedMemory {
public:
    ReservedMemory() noexcept = default;

    /// Reserves `bytes` bytes that read as zero, aligned to a page, to a huge page where there is one.
    /// Throws: Errc::out_of_memory when the address space cannot be had; nothing is held then.
    /// Cost: a system call; memory is used when written.
    explicit ReservedMemory(std::size_t bytes) : size_(bytes) {
        if (bytes == 0) return;
        mapped_bytes_ = (bytes + 2 * huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
        void* mapped = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (mapped == MAP_FAILED) {
            raise(Errc::out_of_memory, "cannot reserve " + std::to_string(bytes) + " bytes of address space");
        }
        mapped_ = mapped;
        const auto address = reinterpret_cast<std::size_t>(mapped);
        const std::size_t skip = (huge_page_bytes - address % huge_page_bytes) % huge_page_bytes;
        data_ = static_cast<std::byte*>(mapped) + skip;
        advise_huge_pages();
    }

    ReservedMemory(ReservedMemory&& other) noexcept { swap(other); }
    ReservedMemory& operator=(ReservedMemory&& other) noexcept {
        ReservedMemory taken(std::move(other));
        swap(taken);
        return *this;
    }
    ReservedMemory(const ReservedMemory&) = delete;
    ReservedMemory& operator=(const ReservedMemory&) = delete;

    ~ReservedMemory() {
        if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
    }

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    static constexpr std::size_t huge_page_bytes = std::size_t{1} << 21;
#ifdef MAP_NORESERVE
    static constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#else
    static constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#endif

    void advise_huge_pages() const noexcept {
#ifdef MADV_HUGEPAGE
        static_cast<void>(::madvise(data_, size_, MADV_HUGEPAGE));  // a refusal only costs speed
#endif
    }

    void swap(ReservedMemory& other) noexcept {
        std::swap(mapped_, other.mapped_);
        std::swap(mapped_bytes_, other.mapped_bytes_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }

    void* mapped_ = nullptr;        // what mmap gave, or null
    std::size_t mapped_bytes_ = 0;  // size_ and room to align data_
    std::byte* data_ = nullptr;     // within mapped_, at a huge page boundary
    std::size_t size_ = 0;          // what the owner asked for
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

class RowStore {
public:
    explicit RowStore(Slot capacity)
        : table_(std::size_t{capacity} * sizeof(Entry)), hashes_(std::size_t{capacity} * sizeof(std::uint32_t)) {}

    [[nodiscard]] Slot size() const noexcept { return size_; }

    /// Bytes of all keys and rows.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    /// Adds the record of the next slot.
    /// Requires: size() is below the capacity; key and row have at least one byte together.
    void append(std::string_view key, std::string_view row) {
        KITH_ASSERT((size_ + std::size_t{1}) * sizeof(Entry) <= table_.size());
        const std::size_t bytes = key.size() + row.size();
        if (bytes > block_free_) add_block(bytes);
        std::memcpy(block_next_, key.data(), key.size());
        std::memcpy(block_next_ + key.size(), row.data(), row.size());
        hashes()[size_] = hash_of(key);
        entries()[size_++] = {block_next_, static_cast<std::uint32_t>(key.size()),
                              static_cast<std::uint32_t>(row.size())};
        block_next_ += bytes;
        block_free_ -= bytes;
        bytes_ += bytes;
    }

    /// Forgets the rows from `size` on; the next ones take their place.
    /// Requires: none of them was published.
    void truncate(Slot size) noexcept {
        if (size >= size_) return;
        char* const first = entries()[size].data;
        while (!blocks_.back().holds(first)) blocks_.pop_back();
        for (Slot slot = size; slot < size_; ++slot) bytes_ -= entries()[slot].key_bytes + entries()[slot].row_bytes;
        block_next_ = first;
        block_free_ = blocks_.back().bytes - static_cast<std::size_t>(first - blocks_.back().data.get());
        size_ = size;
    }

    /// The row of a published slot; it lives as long as the store.
    [[nodiscard]] std::string_view operator[](Slot slot) const noexcept {
        const Entry& entry = entries()[slot];
        return {entry.data + entry.key_bytes, entry.row_bytes};
    }

    /// The key of a published slot; it lives as long as the store.
    [[nodiscard]] std::string_view key(Slot slot) const noexcept {
        const Entry& entry = entries()[slot];
        return {entry.data, entry.key_bytes};
    }

    /// The newest of the allowed slots with this key.
    /// Cost: a pass over four bytes a slot.
    [[nodiscard]] std::optional<Slot> find(std::string_view wanted, BitsetView allowed) const noexcept {
        const std::uint32_t hash = hash_of(wanted);
        for (Slot slot = allowed.count(); slot-- > 0;) {
            if (hashes()[slot] == hash && allowed.allows(slot) && key(slot) == wanted) return slot;
        }
        return std::nullopt;
    }

private:
    struct Entry {
        char* data;  // the key, then the row
        std::uint32_t key_bytes;
        std::uint32_t row_bytes;
    };
    struct Block {
        std::unique_ptr<char[]> data;
        std::size_t bytes;

        [[nodiscard]] bool holds(const char* row) const noexcept {
            return !std::less<>()(row, data.get()) && std::less<>()(row, data.get() + bytes);
        }
    };
    static constexpr std::size_t block_bytes = std::size_t{1} << 18;

    [[nodiscard]] Entry* entries() const noexcept { return reinterpret_cast<Entry*>(table_.data()); }

    [[nodiscard]] std::uint32_t* hashes() const noexcept { return reinterpret_cast<std::uint32_t*>(hashes_.data()); }

    static std::uint32_t hash_of(std::string_view key) noexcept {
        return static_cast<std::uint32_t>(std::hash<std::string_view>{}(key));
    }

    void add_block(std::size_t at_least) {
        const std::size_t bytes = std::max(at_least, block_bytes);
        blocks_.push_back({std::make_unique<char[]>(bytes), bytes});
        block_next_ = blocks_.back().data.get();
        block_free_ = bytes;
    }

    ReservedMemory table_;        // entries()[slot] for slots below size_
    ReservedMemory hashes_;       // hashes()[slot] likewise
    std::vector<Block> blocks_;   // only the writer touches the vector
    char* block_next_ = nullptr;  // where the next row goes
    std::size_t block_free_ = 0;  // bytes from block_next_ to the end of its block
    std::size_t bytes_ = 0;       // of the keys and rows below size_
    Slot size_ = 0;               // the writer's count; readers use their snapshot's
};

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

class Segment {
public:
    /// An empty segment in memory.
    Segment(std::uint32_t id, Slot capacity, const EngineSchema& schema)
        : id_(id), capacity_(capacity), schema_(&schema), rows_(std::make_unique<RowStore>(capacity)) {
        for (const VectorFieldType& field : schema.vectors) {
            indexes_.push_back(field.make(field.dim, capacity));
            scratch_.resize(std::max(scratch_.size(), field.dim));
        }
    }

    /// A segment in memory to which no record is added any more.
    Segment(std::uint32_t id, const EngineSchema& schema, std::unique_ptr<RowStore> rows,
            std::vector<std::unique_ptr<VectorIndex>> indexes)
        : id_(id),
          capacity_(rows->size()),
          ended_(true),
          schema_(&schema),
          rows_(std::move(rows)),
          indexes_(std::move(indexes)) {}

    /// Raises Errc::corrupt or Errc::io when the bytes of a vector field, or of the keys (keys_part), are not as they
    /// were written; of the vector of a slot alone, unless that is no_slot. It keeps alive the bytes that indexes and
    /// keys are mapped over, and is cheap when asked again.
    using Check = std::function<void(std::size_t part, Slot slot)>;
    static constexpr std::size_t keys_part = ~std::size_t{0};

    /// A sealed segment.
    Segment(std::uint32_t id, Slot count, std::vector<std::unique_ptr<VectorIndex>> indexes, const KeyTable& keys,
            Check check, bool outdated)
        : id_(id),
          capacity_(count),
          sealed_count_(count),
          outdated_(outdated),
          check_(std::move(check)),
          keys_(keys),
          indexes_(std::move(indexes)) {}

    [[nodiscard]] std::uint32_t id() const noexcept { return id_; }
    [[nodiscard]] bool sealed() const noexcept { return rows_ == nullptr; }
    /// Whether it has a graph that is missing, or that another index made: vectors are then compared one by one.
    [[nodiscard]] bool outdated() const noexcept { return outdated_; }
    /// For the writer, as size() is: no record can be added.
    [[nodiscard]] bool full() const noexcept { return ended_ || size() == capacity_; }

    /// No record is added from here on. For the writer.
    void end() noexcept { ended_ = true; }

    /// Slots given out, published or not.
    [[nodiscard]] Slot size() const noexcept { return sealed() ? sealed_count_ : rows_->size(); }

    /// Bytes of the records in memory, as far as they are known without asking an index. For the writer.
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        if (sealed()) return 0;
        return rows_->bytes() + std::uint64_t{rows_->size()} * schema_->vector_bytes();
    }

    /// Adds a record in the next slot, which it returns.
    /// Requires: the segment is neither sealed nor full; `vectors` holds the elements of all vector fields.
    Slot append(std::string_view key, std::string_view row, std::string_view vectors) {
        const Slot slot = rows_->size();
        const char* next = vectors.data();
        for (std::size_t field = 0; field < indexes_.size(); ++field) {
            const VectorFieldType& type = schema_->vectors[field];
            type.read(next, type.dim, scratch_.data());
            next += type.bytes;
            indexes_[field]->append(scratch_.data());
        }
        KITH_ASSERT(next == vectors.data() + vectors.size());
        rows_->append(key, row);
        return slot;
    }

    /// Forgets the slots from `size` on, none of which was ever published.
    void truncate(Slot size) noexcept {
        for (const auto& index : indexes_) index->truncate(size);
        rows_->truncate(size);
    }

    /// The row of a slot. Requires: the segment is not sealed.
    [[nodiscard]] std::string_view row(Slot slot) const noexcept { return (*rows_)[slot]; }

    /// The key of a slot. Requires: the segment is not sealed.
    [[nodiscard]] std::string_view key(Slot slot) const noexcept { return rows_->key(slot); }

    /// The allowed slot with this key; the newest where several are allowed.
    /// Throws: Errc::corrupt, Errc::io.
    [[nodiscard]] std::optional<Slot> find(std::string_view key, BitsetView allowed) const {
        if (!sealed()) return rows_->find(key, allowed);
        const std::optional<Slot> slot = key_table().find(key);
        return slot.has_value() && allowed.allows(*slot) ? slot : std::nullopt;
    }

    /// The keys of the allowed slots, in order. Requires: the segment is not sealed, and each has another key.
    [[nodiscard]] std::vector<KeySlot> keys(BitsetView allowed) const {
        std::vector<KeySlot> keys;
        for (Slot slot = 0; slot < allowed.count(); ++slot) {
            if (allowed.allows(slot)) keys.push_back({rows_->key(slot), slot});
        }
        std::sort(keys.begin(), keys.end());
        return keys;
    }

    /// The keys of a sealed segment.
    /// Throws: Errc::corrupt, Errc::io.
    [[nodiscard]] const KeyTable& key_table() const {
        if (check_) check_(keys_part, no_slot);
        return keys_;
    }

    /// Throws: Errc::corrupt, Errc::io, for a sealed segment whose files are damaged.
    /// Cost: the first time it reads all of the files of the field in a sealed segment.
    [[nodiscard]] const VectorIndex& index(std::size_t vector_field) const {
        if (check_) check_(vector_field, no_slot);
        return *indexes_[vector_field];
    }
    /// Raises when bytes were damaged that were read since index() was asked for the field: of files that are read through
    /// a cache, damage shows when they are read.
    /// Throws: Errc::corrupt, Errc::io.
    void confirm(std::size_t vector_field) const {
        if (check_) check_(vector_field, no_slot);
    }
    /// Copies the vector of a slot to `out`. Shape: as VectorIndex::vector.
    /// Throws: Errc::corrupt, Errc::io, for a sealed segment whose file of vectors is damaged where this one stands.
    /// Cost: reads the blocks that it stands in, and no others.
    void vector(std::size_t vector_field, Slot slot, float* out) const {
        if (check_) check_(vector_field, slot);
        indexes_[vector_field]->vector(slot, out);
        if (check_) check_(vector_field, slot);  // through a cache the bytes came only now
    }
    [[nodiscard]] std::size_t index_count() const noexcept { return indexes_.size(); }

    /// The slots below it are in every graph; past the last slot where there are no graphs.
    [[nodiscard]] Slot linked() const noexcept {
        Slot linked = no_slot;
        for (const auto& index : indexes_) linked = std::min(linked, index->indexed());
        return linked;
    }

    /// Links the published slots below `count` into the graphs. Concurrent calls take turns.
    void link_up_to(Slot count, unsigned threads) {
        const std::lock_guard lock(link_mutex_);
        for (const auto& index : indexes_) {
            if (index->indexed() < count) index->index_up_to(count, threads);
        }
    }

    /// Measures the recall of those indexes for which it is due; before they are sealed, of those a tenth of whose
    /// vectors came since. Calls before sealing take turns with others and with link_up_to; another one does nothing where
    /// one of those is at work.
    /// Throws: Errc::cancelled when training.progress says so.
    void calibrate(const Training& training, bool to_seal) {
        constexpr Slot fewest = 1000;  // fewer are scanned
        std::unique_lock lock(link_mutex_, std::defer_lock);
        if (to_seal) lock.lock();
        if (!to_seal && !lock.try_lock()) return;
        for (const auto& index : indexes_) {
            if (index->indexed() < fewest) continue;
            const bool old = index->indexed() - index->calibrated() > index->indexed() / 10;
            if (index->calibration_due() || (to_seal && old)) index->calibrate(training);
        }
    }

private:
    std::uint32_t id_;
    Slot capacity_;
    Slot sealed_count_ = 0;                              // slots of a sealed segment
    bool ended_ = false;                                 // full, whatever the capacity
    bool outdated_ = false;                              // a graph of a sealed segment is missing or not usable
    Check check_;                                        // of a sealed segment; outlives keys_ and indexes_
    KeyTable keys_;                                      // of a sealed segment
    const EngineSchema* schema_ = nullptr;               // the engine's; of a segment in memory
    std::unique_ptr<RowStore> rows_;                     // null once sealed: rows are in the environment
    std::vector<std::unique_ptr<VectorIndex>> indexes_;  // one a vector field, in the order of the schema
    std::vector<float> scratch_;                         // the writer's: one vector, aligned
    std::mutex link_mutex_;                              // one thread links at a time
};

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

/// The deleted slots of one segment. Copied, never changed, when more are deleted.
struct DeleteSet {
    std::vector<std::uint64_t> words;  // bit s % 64 of word s / 64 is set when slot s is deleted
    Slot count = 0;                    // bits that are set
};

struct SegmentView {
    std::shared_ptr<Segment> segment;
    Slot count = 0;                            // slots that exist
    std::shared_ptr<const DeleteSet> deletes;  // null while none of them is deleted

    [[nodiscard]] BitsetView allowed() const noexcept {
        return deletes == nullptr ? BitsetView(count) : BitsetView(deletes->words.data(), count, live());
    }
    [[nodiscard]] Slot live() const noexcept { return count - (deletes == nullptr ? 0 : deletes->count); }
};

struct Snapshot {
    std::vector<SegmentView> segments;  // ordered by segment id

    [[nodiscard]] std::uint64_t live() const noexcept {
        std::uint64_t live = 0;
        for (const SegmentView& view : segments) live += view.live();
        return live;
    }

    /// The segments alone, in the same order.
    [[nodiscard]] std::vector<std::shared_ptr<Segment>> all_segments() const {
        std::vector<std::shared_ptr<Segment>> all;
        all.reserve(segments.size());
        for (const SegmentView& view : segments) all.push_back(view.segment);
        return all;
    }

    /// The view that holds `id`; null when this snapshot does not see it.
    [[nodiscard]] const SegmentView* find(RecordId id) const noexcept {
        const auto by_id = [](const SegmentView& view, std::uint32_t segment) { return view.segment->id() < segment; };
        const auto found = std::lower_bound(segments.begin(), segments.end(), id.segment, by_id);
        if (found == segments.end() || found->segment->id() != id.segment || !found->allowed().allows(id.slot)) {
            return nullptr;
        }
        return &*found;
    }
};

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

struct MovedSegment {
    std::shared_ptr<Segment> from;
    std::vector<Slot> to;  // by slot of `from`: the slot in the new segment, or no_slot
};

struct MergedSegments {
    std::shared_ptr<Segment> segment;  // that stands for the parts; null when no record of them lives
    std::vector<MovedSegment> parts;
    std::uint32_t next_segment = 0;  // the first segment id that was never used

    [[nodiscard]] bool takes(std::uint32_t id) const noexcept {
        for (const MovedSegment& part : parts) {
            if (part.from->id() == id) return true;
        }
        return false;
    }

    /// The new segment with the records deleted that `before`, which has the parts, does not show.
    /// Requires: there is one.
    [[nodiscard]] SegmentView view(const Snapshot& before) const {
        const Slot count = segment->size();
        auto deletes = std::make_shared<DeleteSet>();
        deletes->words.assign((std::size_t{count} + 63) / 64, ~std::uint64_t{0});
        deletes->count = count;
        for (const MovedSegment& part : parts) {
            for (Slot slot = 0; slot < part.to.size(); ++slot) {
                const Slot to = part.to[slot];
                if (to == no_slot || before.find({part.from->id(), slot}) == nullptr) continue;
                deletes->words[to / 64] &= ~(std::uint64_t{1} << (to % 64));
                --deletes->count;
            }
        }
        if (count % 64 != 0) deletes->words.back() &= (std::uint64_t{1} << (count % 64)) - 1;
        SegmentView made{segment, count, nullptr};
        if (deletes->count > 0) made.deletes = std::move(deletes);
        return made;
    }

    /// `before` with the new segment in the place of the parts.
    [[nodiscard]] Snapshot applied_to(const Snapshot& before) const {
        Snapshot after;
        after.segments.reserve(before.segments.size() + 1);
        for (const SegmentView& one : before.segments) {
            if (!takes(one.segment->id())) after.segments.push_back(one);
        }
        if (segment != nullptr) {
            const auto behind = [&](const SegmentView& one) { return one.segment->id() > segment->id(); };
            after.segments.insert(std::find_if(after.segments.begin(), after.segments.end(), behind), view(before));
        }
        return after;
    }
};

}  // namespace kith::inline v0_single::detail

// kith/collection/options.hpp — how a collection is opened, and what an acknowledgement promises.

// kith/core/executor.hpp — threads that wait to help whoever has work in pieces.
//
// To start a thread takes as long as a search. So threads are kept, and started when they are first wanted. An executor
// lets only so many threads work at once, callers among them: as many as there are cores. Who comes when all are at
// work does its pieces alone, and so does who comes from within a piece; nobody ever waits for a thread to become free.
//
// A helper that wakes up late finds the work done, and the caller does not wait for it. A child that was forked has none
// of its parent's threads: it starts its own. At the end of the process the threads of shared() are joined; what shares
// work after that does it alone.
//
// Thread safety: share() may be called by any number of threads, also from within a piece.

namespace kith::inline v0_single {

class Executor {
public:
    /// Lets `threads` threads work at once.
    explicit Executor(unsigned threads) : most_(std::max(threads, 1U)), crew_(std::make_unique<Crew>().release()) {}
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    /// Requires: nobody shares work any more.
    ~Executor() {
        stop();
        std::unique_ptr<Crew> crew(crew_.load());
        // To destroy what the parent's threads wait on would wait for them.
        if (!is_mine(*crew)) static_cast<void>(crew.release());
    }

    /// That of the process, for as many threads as the machine runs at once.
    [[nodiscard]] static Executor& shared() {
        struct End {
            Executor& executor;
            ~End() { executor.stop(); }
        };
        // Never destroyed: what is destroyed after it may still share work.
        static Executor& executor = *std::make_unique<Executor>(hardware_threads()).release();
        static const End end{executor};
        return executor;
    }

    /// How many threads the machine runs at once.
    [[nodiscard]] static unsigned hardware_threads() noexcept {
        return std::max(std::thread::hardware_concurrency(), 1U);
    }

    /// Calls work(piece, thread) once for each piece below `pieces`; thread 0 is the caller, the others are below
    /// `threads`. Fewer than that work where others are at work.
    /// Throws: what `work` throws first, after every thread has stopped; some pieces are then not done. Errc::forked in
    /// a child that `work` forked while helpers did their pieces in the parent.
    template <class Work>
    void share(unsigned threads, std::size_t pieces, const Work& work) {
        threads = static_cast<unsigned>(std::min<std::size_t>(threads, pieces));
        if (threads <= 1) {
            for (std::size_t piece = 0; piece < pieces; ++piece) work(piece, 0U);
            return;
        }
        std::atomic<std::size_t> next = 0;
        std::exception_ptr failure;
        std::mutex failing;
        const auto run = [&](unsigned thread, const auto& goes_on) noexcept {
            const std::exception_ptr failed = attempt([&] {
                for (std::size_t piece = next.fetch_add(1); piece < pieces; piece = next.fetch_add(1)) {
                    work(piece, thread);
                    if (!goes_on()) return;
                }
            });
            if (!failed) return;
            next.store(pieces);  // nobody begins another
            const std::lock_guard lock(failing);
            if (!failure) failure = failed;
        };
        Crew& crew = present_crew();
        const auto help = [&](unsigned thread) noexcept {
            run(thread, [&] { return !crew.stopping.load(std::memory_order_relaxed); });
        };
        using Help = decltype(help);
        Job job{[](const void* helping, unsigned thread) noexcept { (*static_cast<const Help*>(helping))(thread); },
                &help, threads - 1};
        begin(crew, job);
        run(0, [&] {
            if (job.open > 0 && crew.at_work.load(std::memory_order_relaxed) < most_) recruit(crew, job);
            return true;
        });
        end(crew, job);
#ifdef __cpp_exceptions
        if (failure) std::rethrow_exception(failure);
#endif
    }

    /// Calls act(), and counts the calling thread among those at work meanwhile: helpers are then called for fewer cores.
    /// Throws: what act() throws.
    template <class Act>
    void attend(const Act& act) {
        Crew& crew = present_crew();
        const bool counts = !std::exchange(at_work_, true);
        if (counts) enter(crew);
        const std::exception_ptr failure = attempt(act);
        if (counts) {
            at_work_ = false;
            if (is_mine(crew)) leave(crew);
        }
#ifdef __cpp_exceptions
        if (failure) std::rethrow_exception(failure);
#endif
    }

private:
    /// One call of share(), in its caller's frame. All but the first three is guarded by the crew's mutex.
    struct Job {
        void (*run)(const void* helping, unsigned thread) noexcept;
        const void* helping;
        unsigned open;                   // helpers it could still use; the caller's
        unsigned called = 0;             // helpers that are to come, and count as being at work
        unsigned came = 0;               // helpers so far: the last one's number
        unsigned working = 0;            // helpers in it
        Job* next = nullptr;             // in the crew's list, while helpers are called
        bool counts = false;             // whether the caller was not at work already
        std::condition_variable left{};  // the last helper left
    };

    struct Crew {
        const pid_t owner = ::getpid();
        std::mutex mutex;
        std::condition_variable wake;
        Job* first = nullptr;               // the jobs that called helpers who did not come yet
        unsigned called = 0;                // by all of them
        unsigned idle = 0;                  // threads in no job
        std::atomic<unsigned> at_work = 0;  // threads, callers and helpers who were called; changed under the mutex
        std::atomic<bool> stopping = false;
        std::vector<std::thread> threads;
    };

    [[nodiscard]] static bool is_mine(const Crew& crew) noexcept { return crew.owner == ::getpid(); }

    /// The crew of this process. In a forked child that is a new one; the parent's is left as it is, for its mutex may
    /// be held by a thread that is not there.
    [[nodiscard]] Crew& present_crew() {
        Crew* present = crew_.load(std::memory_order_acquire);
        if (is_mine(*present)) return *present;
        auto made = std::make_unique<Crew>();
        return crew_.compare_exchange_strong(present, made.get()) ? *made.release() : *present;
    }

    static void enter(Crew& crew) noexcept {
        const std::lock_guard lock(crew.mutex);
        ++crew.at_work;
    }

    static void leave(Crew& crew) noexcept {
        const std::lock_guard lock(crew.mutex);
        --crew.at_work;
    }

    void begin(Crew& crew, Job& job) noexcept {
        job.counts = !std::exchange(at_work_, true);
        if (job.counts) enter(crew);
        recruit(crew, job);
    }

    /// Calls as many helpers as the job can use and may work beside those who do.
    void recruit(Crew& crew, Job& job) noexcept {
        if (crew.at_work.load(std::memory_order_relaxed) >= most_ || !is_mine(crew)) return;
        unsigned more = 0;
        {
            const std::lock_guard lock(crew.mutex);
            if (crew.stopping || crew.at_work >= most_) return;
            more = std::min(job.open, most_ - crew.at_work);
            while (crew.called + more > crew.idle && crew.threads.size() + 1 < most_ && start_thread(crew)) {
            }
            more = std::min(more, crew.idle - std::min(crew.idle, crew.called));
            if (more == 0) return;
            if (job.called == 0) job.next = std::exchange(crew.first, &job);
            job.open -= more;
            job.called += more;
            crew.called += more;
            crew.at_work += more;
        }
        for (unsigned i = 0; i < more; ++i) crew.wake.notify_one();
    }

    /// Waits for the helpers who came, and lets the others go.
    static void end(Crew& crew, Job& job) {
        if (job.counts) at_work_ = false;
        if (!is_mine(crew)) {
            if (job.came > 0) raise(Errc::forked, "the process was forked within work that its parent's threads share");
            return;
        }
        std::unique_lock lock(crew.mutex);
        if (job.called > 0) {
            Job** at = &crew.first;
            while (*at != &job) at = &(*at)->next;
            *at = job.next;
        }
        crew.called -= job.called;
        crew.at_work -= job.called + (job.counts ? 1 : 0);
        job.left.wait(lock, [&] { return job.working == 0; });
    }

    /// False where none can be had. Requires: the mutex is held.
    static bool start_thread(Crew& crew) noexcept {
        const bool started = attempt([&] { crew.threads.emplace_back([&crew] { help(crew); }); }) == nullptr;
        if (started) ++crew.idle;
        return started;
    }

    /// What a thread of the crew does.
    static void help(Crew& crew) noexcept {
        at_work_ = true;  // whenever it shares work of its own
        std::unique_lock lock(crew.mutex);
        for (;;) {
            crew.wake.wait(lock, [&] { return crew.stopping || crew.first != nullptr; });
            if (crew.stopping) return;
            Job& job = *crew.first;
            if (--job.called == 0) crew.first = job.next;
            --crew.called;
            --crew.idle;
            ++job.working;
            const unsigned number = ++job.came;
            lock.unlock();
            job.run(job.helping, number);
            lock.lock();
            ++crew.idle;
            --crew.at_work;
            if (--job.working == 0) job.left.notify_one();  // the caller may destroy the job once the lock is free
        }
    }

    /// Joins the threads, when they have done the pieces they are at.
    void stop() noexcept {
        Crew& crew = *crew_.load();
        if (!is_mine(crew)) return;
        std::vector<std::thread> threads;
        {
            const std::lock_guard lock(crew.mutex);
            crew.stopping = true;
            threads.swap(crew.threads);
        }
        crew.wake.notify_all();
        for (std::thread& thread : threads) {
            if (thread.get_id() == std::this_thread::get_id()) {
                thread.detach();  // a piece of work ends the process
            } else {
                thread.join();
            }
        }
    }

    inline static thread_local bool at_work_ = false;  // whether this thread is counted among those at work

    const unsigned most_;
    std::atomic<Crew*> crew_;  // owned, but in a forked child, where the parent's is left alone
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// What opening a directory may do.
enum class OpenMode : std::uint8_t {
    create_or_open,  ///< open what is there, make a new collection where nothing is
    create,          ///< make a new one; a path that exists is an error
    open,            ///< open an existing one; a missing path is an error
    read_only,       ///< open an existing one, beside its writer if there is one, and write nothing; see refresh()
};

/// When an acknowledged write is safe from a power cut. A crash of the process alone loses nothing at any level.
class Durability {
public:
    enum class Level : std::uint8_t { each_commit, interval, on_checkpoint };

    /// A call returns after its records are on the disk. Callers that write at the same time share one sync.
    static constexpr Durability each_commit() noexcept { return {Level::each_commit, {}}; }

    /// A call returns at once; the log is synced every `period`, of 1 ms to 24 hours. A power cut loses at most the
    /// writes since the last sync, and what survives is a prefix of what was acknowledged.
    static constexpr Durability interval(std::chrono::milliseconds period) noexcept {
        return {Level::interval, period};
    }

    /// A call returns at once; checkpoint() and close() sync. A power cut loses at most the writes since then, and
    /// what survives is a prefix of what was acknowledged.
    static constexpr Durability on_checkpoint() noexcept { return {Level::on_checkpoint, {}}; }

    [[nodiscard]] constexpr Level level() const noexcept { return level_; }
    [[nodiscard]] constexpr std::chrono::milliseconds period() const noexcept { return period_; }

private:
    constexpr Durability(Level level, std::chrono::milliseconds period) noexcept : level_(level), period_(period) {}

    Level level_;
    std::chrono::milliseconds period_;  // positive for interval, unused otherwise
};

/// Who seals and merges segments.
enum class Maintenance : std::uint8_t {
    automatic,  ///< a background thread, whenever it pays
    on_call,    ///< checkpoint() and compact() alone
};

/// The settings of one open collection; none of them is stored.
struct Options {
    OpenMode mode = OpenMode::create_or_open;
    Durability durability = Durability::each_commit();
    Slot segment_capacity = Slot{1} << 20;  ///< records a segment holds before the next one begins, also when merged
    std::uint64_t segment_bytes = std::uint64_t{1} << 30;  ///< bytes of records in memory that are sealed
    std::uint64_t log_bytes = std::uint64_t{1} << 28;      ///< a log longer than this is sealed
    Maintenance maintenance = Maintenance::automatic;
    /// Bytes of sealed vectors and graphs that are kept in memory, read through a cache of blocks: for collections larger
    /// than memory. 0 maps the files whole, and leaves what stays in memory to the system.
    std::uint64_t cache_bytes = 0;
    /// Bytes of records in memory at which a write waits for the sealing of earlier ones; 0 for no limit.
    std::uint64_t memory_bytes = 0;
    /// Bytes of files at which puts are refused, and merges that would pass it not begun; 0 for no limit.
    std::uint64_t max_disk_bytes = 0;
    /// How often a collection opened with OpenMode::read_only moves to the newest state by itself; 0 for never, which
    /// leaves it to refresh().
    std::chrono::milliseconds follow{0};
    /// Whether a directory of a network file system, or of FUSE, is taken. Locks and memory maps of several machines do
    /// not hold together there: only where one process alone uses the collection.
    bool allow_network_filesystem = false;
    unsigned index_threads = 1;  ///< threads that link records into graphs; 1 is deterministic
    /// Threads that answer one query, where it has several segments to search and others leave cores free; the answer
    /// is the same for any number. 1: the caller's alone.
    unsigned search_threads = Executor::hardware_threads();
};

namespace detail {
inline constexpr Slot largest_segment = Slot{1} << 28;  // of Options::segment_capacity
}

/// Tag of the constructor that makes a collection without a directory.
struct InMemory {};
inline constexpr InMemory in_memory{};

}  // namespace kith::inline v0_single

// kith/collection/recovery.hpp — what opening a collection found and mended.

namespace kith::inline v0_single {

/// The end of the log was cut off: a write that was in flight when the process or the machine stopped.
struct TornTail {
    std::string file;          ///< the log file
    std::uint64_t offset = 0;  ///< where its last whole record ends
    std::uint64_t bytes = 0;   ///< how many bytes after that were dropped
    bool whole = false;        ///< the first record dropped has all its bytes and a wrong checksum: damage, perhaps
};

/// The result of the last open. Damage to acknowledged records is an Error instead, but for the newest ones: nothing
/// behind them can say that they were whole once, so they look like a torn tail, and are reported as one.
struct RecoveryReport {
    std::uint64_t replayed_batches = 0;      ///< log records applied again, each one batch
    std::uint64_t replayed_operations = 0;   ///< puts and erases in them
    std::uint64_t last_sequence = 0;         ///< number of the newest batch the collection holds
    std::optional<TornTail> torn_tail;       ///< set when the log did not end in a whole record
    std::vector<std::string> removed_files;  ///< leftovers of an interrupted checkpoint
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

/// What the files of a segment are written from.
struct SegmentImage {
    std::uint32_t id = 0;
    Slot count = 0;
    std::vector<const VectorIndex*> indexes;  // one a vector field; every slot is indexed
    std::vector<KeySlot> keys;                // in order
};

/// What commit() makes the new checkpoint.
struct Checkpoint {
    std::uint64_t sequence = 0;      // of the last batch it holds
    std::uint32_t next_segment = 0;  // the first segment id that was never used
    const Snapshot* snapshot;        // all there is as of that batch
    /// The mapped segments that stand for those of the snapshot that are in memory, by id.
    std::vector<std::shared_ptr<Segment>> written;
    const KeyMap* keys;  // what changed since the checkpoint before
};

/// What a reader's batches come on top of.
struct StoreBase {
    std::shared_ptr<const Snapshot> snapshot;  // the last checkpoint, with what was merged since
    std::uint32_t next_segment = 0;            // the first segment id that was never used
};

/// Bytes on the disk.
struct StoreBytes {
    std::uint64_t log = 0;
    std::uint64_t forward = 0;   // rows and keys, and pages that are free again
    std::uint64_t segments = 0;  // of the present checkpoint
    std::uint64_t retired = 0;   // of segments that were merged, and that a snapshot or a reader still holds

    [[nodiscard]] std::uint64_t without_log() const noexcept { return forward + segments + retired; }
};

class DurableStore {
public:
    virtual ~DurableStore() = default;

    /// Where the collection is, as it was opened.
    [[nodiscard]] virtual const std::filesystem::path& path() const noexcept = 0;

    /// For a reader, in the writer role, as the four that follow: the state that a checkpoint or a merge has left since
    /// it was asked for last; nothing when there was none. follow() then begins after it.
    /// Throws: Errc::corrupt, Errc::locked when the writer changes it faster than it can be read; Errc::io.
    [[nodiscard]] virtual std::optional<StoreBase> newer_base() = 0;

    /// follow() begins after the base again.
    virtual void rewind() = 0;

    /// Calls `apply(batch)` for each batch after the base that no call has brought yet, oldest first. A batch whose
    /// apply raised comes again. False when some were removed before they were read: there is a newer base, or, when
    /// there is none, raise_log_missing().
    /// Throws: as replay; what apply throws.
    [[nodiscard]] virtual bool follow(const std::function<void(std::string_view batch)>& apply) = 0;
    [[noreturn]] virtual void raise_log_missing() const = 0;

    /// What follow() met at the end of the log. A writer that is at work leaves a batch unfinished there, which is nothing
    /// to report.
    /// Throws: Errc::corrupt when it is damaged.
    [[nodiscard]] virtual RecoveryReport followed() = 0;

    /// For a writer: calls `apply(batch)` for each batch after the last checkpoint, oldest first. Called once, before
    /// append.
    /// Throws: Errc::corrupt when a batch in the middle of the log is damaged.
    [[nodiscard]] virtual RecoveryReport replay(const std::function<void(std::string_view batch)>& apply) = 0;

    /// Adds one batch to the log.
    /// Throws: Errc::disk_full, Errc::io, Errc::limit_exceeded; the log then ends where it ended before.
    virtual void append(std::string_view batch) = 0;

    /// Returns once everything appended is on the disk.
    /// Throws: Errc::io or Errc::disk_full; what was appended since the last sync may be lost.
    virtual void sync() = 0;

    /// Whether a commit, or an append to the log, failed in a way that leaves unknown what the disk holds.
    [[nodiscard]] virtual bool poisoned() const noexcept = 0;

    /// The number of the newest batch that was appended, or that a reader has read.
    [[nodiscard]] virtual std::uint64_t last_sequence() const noexcept = 0;

    /// Bytes of the log since the last checkpoint.
    [[nodiscard]] virtual std::uint64_t log_bytes() const = 0;

    /// Where the last checkpoint has `key`.
    [[nodiscard]] virtual std::optional<RecordId> find(std::string_view key) const = 0;

    /// The row of a record in a sealed segment.
    /// Throws: Errc::corrupt when it is missing or damaged.
    [[nodiscard]] virtual std::string row(RecordId id) const = 0;

    /// Syncs the log, begins a new file of it where that can be had, and returns the number of the last batch.
    /// Throws: as sync.
    [[nodiscard]] virtual std::uint64_t end_log_file() = 0;

    /// Writes the files of a segment that no checkpoint names yet, and maps them. What an earlier try left goes.
    /// Throws: Errc::disk_full, Errc::io; Errc::cancelled, Errc::timed_out.
    [[nodiscard]] virtual std::shared_ptr<Segment> write_segment(const SegmentImage& image, const LongCall& call) = 0;

    /// In the keeper role: commits rows, keys and the state record in one transaction.
    /// Throws: Error; the directory then holds the checkpoint before, and the log all that came after.
    virtual void commit(const Checkpoint& checkpoint) = 0;

    /// In both roles: lets go of the files of the log that the last checkpoint holds, and returns their paths. What is
    /// not removed then is passed by when the collection is opened.
    [[nodiscard]] virtual std::vector<std::filesystem::path> release_log() = 0;

    /// In the keeper role: the number of the last batch that the last checkpoint holds.
    [[nodiscard]] virtual std::uint64_t committed_sequence() const = 0;

    /// In the keeper role: the segments of the last checkpoint, with what it has deleted in them.
    [[nodiscard]] virtual const Snapshot& committed() const = 0;

    /// Gives the rows of the parts' records their new ids; until commit_merge nothing leads to them.
    /// Requires: there is a new segment.
    /// Throws: Errc::disk_full, Errc::io, Errc::corrupt; Errc::cancelled, Errc::timed_out.
    virtual void copy_rows(const MergedSegments& merged, const LongCall& call) = 0;

    /// In the keeper role: commits keys and a state record in which one segment stands for the parts.
    /// Throws: Error; the directory then holds what it held before.
    virtual void commit_merge(const MergedSegments& merged) = 0;

    /// In the keeper role: removes files and rows of merged segments that nobody holds any more. What cannot be removed
    /// now is tried again at the next call.
    virtual void purge() = 0;

    /// In the keeper role: gives the pages that rows and keys left free back to the file system, where no other process
    /// reads; else they are used again.
    /// Throws: Errc::disk_full, Errc::io, Errc::corrupt; Errc::cancelled, Errc::timed_out.
    virtual void give_back(const LongCall& call) = 0;

    [[nodiscard]] virtual StoreBytes bytes() const = 0;

    /// In the merging and the keeper role: copies or links what the last checkpoint and the log after it hold. Every batch
    /// that was appended before is in it.
    /// Throws: as kith::backup.
    virtual BackupReport backup(const std::filesystem::path& destination, const BackupOptions& options,
                                const LongCall& call) const = 0;
};

/// A directory as it was found.
struct OpenedStore {
    std::unique_ptr<DurableStore> store;
    std::shared_ptr<const Snapshot> snapshot;  // the last checkpoint
    std::uint32_t next_segment = 0;            // the first segment id that was never used
};

/// Opens or makes the collection at `path`. The batches after its last checkpoint wait for replay().
/// Throws: Error, each with the path: not_found, already_exists, not_a_collection, locked, schema_mismatch (the text
/// lists the differences), unsupported_version, corrupt, io, disk_full.
[[nodiscard]] OpenedStore open_durable_store(const std::filesystem::path& path, const Options& options,
                                             const EngineSchema& schema);

}  // namespace kith::inline v0_single::detail

// kith/collection/merge_policy.hpp — which sealed segments are made one, and when.
//
// Every search asks every segment, so few large ones are faster than many small ones. But a merge links its records
// anew. Merging only segments of about one size, four at a time, links each record again once for each fourfold growth:
// five times on its way from a thousand records to a million.
//
// Thread safety: functions without state.
// Source: size-tiered compaction as in Apache Cassandra's documentation; O'Neil et al., The Log-Structured Merge-Tree,
// 1996.

namespace kith::inline v0_single::detail {

struct SegmentSize {
    Slot live = 0;
    Slot deleted = 0;
    bool outdated = false;  // its graph is missing, or was made by another index
};

inline constexpr std::size_t segments_a_merge = 4;

inline constexpr Slot fewest_dead = 1000;  // for less, writing files anew is not worth its syncs

/// A segment with more than 3 of 10 records deleted, and a thousand of them, is written anew.
[[nodiscard]] constexpr bool mostly_dead(SegmentSize size) noexcept {
    return size.deleted >= fewest_dead &&
           std::uint64_t{size.deleted} * 10 > (std::uint64_t{size.deleted} + size.live) * 3;
}

/// Whether a segment is written anew for its own sake.
[[nodiscard]] constexpr bool needs_rewriting(const SegmentSize& size) noexcept {
    return mostly_dead(size) || size.outdated;
}

/// Segments of one tier hold between 4^n and 4^(n + 1) times a thousand records; smaller ones are in tier 0.
[[nodiscard]] constexpr unsigned tier_of(Slot live) noexcept {
    unsigned tier = 0;
    for (Slot bound = 4096; live >= bound && tier < 10; bound *= 4) ++tier;
    return tier;
}

/// The next segments to merge, by their places in `sizes`; one place means that it is written anew, none that nothing is
/// to be done. What they make has at most `capacity` records.
[[nodiscard]] inline std::vector<std::size_t> next_merge(std::span<const SegmentSize> sizes, Slot capacity) {
    for (std::size_t at = 0; at < sizes.size(); ++at) {
        if (needs_rewriting(sizes[at])) return {at};
    }
    for (unsigned tier = 0; tier <= tier_of(capacity); ++tier) {
        std::vector<std::size_t> same;
        std::uint64_t records = 0;
        for (std::size_t at = 0; at < sizes.size() && same.size() < 2 * segments_a_merge; ++at) {
            if (tier_of(sizes[at].live) != tier || records + sizes[at].live > capacity) continue;
            same.push_back(at);
            records += sizes[at].live;
        }
        if (same.size() >= segments_a_merge) return same;
    }
    return {};
}

/// The next segments to merge until none holds a dead record or is outdated, and no two fit into one.
[[nodiscard]] inline std::vector<std::size_t> next_compaction(std::span<const SegmentSize> sizes, Slot capacity) {
    std::vector<std::size_t> order;
    for (std::size_t at = 0; at < sizes.size(); ++at) order.push_back(at);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return sizes[a].live < sizes[b].live || (sizes[a].live == sizes[b].live && a < b);
    });
    std::vector<std::size_t> fitting;
    std::uint64_t records = 0;
    for (const std::size_t at : order) {
        if (records + sizes[at].live > capacity) break;
        fitting.push_back(at);
        records += sizes[at].live;
    }
    if (fitting.size() > 1) return fitting;
    for (std::size_t at = 0; at < sizes.size(); ++at) {
        if (sizes[at].deleted > 0 || sizes[at].outdated) return {at};
    }
    return {};
}

}  // namespace kith::inline v0_single::detail

// kith/collection/next_snapshot.hpp — the snapshot that a group of batches will make, and all the memory it takes.
//
// What was logged must be shown. So the memory that showing a batch takes is had before the batch is logged, and what is
// left to do then cannot fail.
//
// Thread safety: none; belongs to whoever holds the engine's writer role.

namespace kith::inline v0_single::detail {

class NextSnapshot {
public:
    using Segments = std::vector<std::shared_ptr<Segment>>;

    /// On top of `before`, which must outlive it.
    explicit NextSnapshot(const Snapshot& before) noexcept : before_(&before) {}

    /// Has the memory that finish() takes for `segments`, and for `deletes` beside those of earlier calls.
    /// Requires: `segments` begins with those of the snapshot before.
    void make_room(const Segments& segments, std::span<const RecordId> deletes) {
        if (next_ == nullptr) next_ = std::make_shared<Snapshot>();
        next_->segments.reserve(segments.size());
        if (changed_.size() < segments.size()) changed_.resize(segments.size());
        for (const RecordId id : deletes) {
            const std::size_t at = position(segments, id.segment);
            if (changed_[at] == nullptr) change(at, segments[at]->size());
        }
        for (std::size_t at = 0; at < segments.size(); ++at) {
            const DeleteSet* const present = newest(at);
            if (present != nullptr && present->words.size() < words_for(segments[at]->size())) {
                change(at, segments[at]->size());
            }
        }
        has_room_ = true;
    }

    /// The snapshot with these segments, as far as they are written, and these records deleted; null when room was made
    /// for nothing.
    /// Requires: room was made for each of them; no slot is deleted yet.
    [[nodiscard]] std::shared_ptr<const Snapshot> finish(const Segments& segments,
                                                         std::span<const RecordId> deletes) noexcept {
        if (!has_room_) return nullptr;
        for (const RecordId id : deletes) {
            DeleteSet& changed = *changed_[position(segments, id.segment)];
            changed.words[id.slot / 64] |= std::uint64_t{1} << (id.slot % 64);
            ++changed.count;
        }
        KITH_ASSERT(next_->segments.capacity() >= segments.size());
        for (std::size_t at = 0; at < segments.size(); ++at) {
            const bool differs = changed_[at] != nullptr && changed_[at]->count > 0;
            SegmentView view{segments[at], segments[at]->size(), nullptr};
            if (differs) {
                view.deletes = std::move(changed_[at]);
            } else if (at < before_->segments.size()) {
                view.deletes = before_->segments[at].deletes;
            }
            next_->segments.push_back(std::move(view));
        }
        return std::move(next_);
    }

private:
    static std::size_t words_for(Slot count) noexcept { return (std::size_t{count} + 63) / 64; }

    static std::size_t position(const Segments& segments, std::uint32_t id) noexcept {
        const auto below = [](const std::shared_ptr<Segment>& segment, std::uint32_t wanted) {
            return segment->id() < wanted;
        };
        const auto found = std::lower_bound(segments.begin(), segments.end(), id, below);
        KITH_ASSERT(found != segments.end() && (*found)->id() == id);
        return static_cast<std::size_t>(found - segments.begin());
    }

    /// What is deleted of the segment at `at`, as far as that is known; null when nothing is.
    [[nodiscard]] const DeleteSet* newest(std::size_t at) const noexcept {
        if (changed_[at] != nullptr) return changed_[at].get();
        return at < before_->segments.size() ? before_->segments[at].deletes.get() : nullptr;
    }

    /// Makes a copy of the deletes at `at`, with words for at least `count` slots.
    void change(std::size_t at, Slot count) {
        const DeleteSet* const before = newest(at);
        auto changed = std::make_shared<DeleteSet>();
        const std::size_t needed = words_for(count);
        const std::size_t present = before == nullptr ? 0 : before->words.size();
        changed->words.reserve(present < needed ? needed + needed / 2 : present);
        if (before != nullptr) {
            changed->words = before->words;
            changed->count = before->count;
        }
        changed->words.resize(changed->words.capacity());
        changed_[at] = std::move(changed);
    }

    const Snapshot* before_;
    bool has_room_ = false;  // for some batch; what is there besides serves a batch that is taken back
    std::shared_ptr<Snapshot> next_;
    std::vector<std::shared_ptr<DeleteSet>> changed_;  // by position of the segment: its deletes to be; null: as before
};

}  // namespace kith::inline v0_single::detail

// kith/collection/relocation.hpp — the way from where the key map still leads to where a merge in memory took a record.
//
// The map of all keys is not rewritten at once, for readers would wait for it: a merge shows its segment together with a
// relocation, and then puts one key after the other right.
//
// Thread safety: immutable once made.

namespace kith::inline v0_single::detail {

class Relocation {
public:
    /// Leads everywhere to where it is.
    Relocation() = default;

    /// From the parts of `merged` to its segment; takes their slots, and leaves the rest.
    explicit Relocation(MergedSegments& merged) {
        if (merged.segment == nullptr) return;
        to_ = merged.segment->id();
        parts_.reserve(merged.parts.size());
        for (MovedSegment& part : merged.parts) parts_.push_back({part.from->id(), std::move(part.to)});
    }

    /// Where the record is that `id` was given to.
    [[nodiscard]] RecordId operator()(RecordId id) const noexcept {
        for (const Part& part : parts_) {
            if (part.from == id.segment && part.to[id.slot] != no_slot) return {to_, part.to[id.slot]};
        }
        return id;
    }

private:
    struct Part {
        std::uint32_t from = 0;
        std::vector<Slot> to;  // by slot of `from`: the slot in the new segment, or no_slot
    };

    std::uint32_t to_ = 0;
    std::vector<Part> parts_;
};

}  // namespace kith::inline v0_single::detail

// kith/collection/search.hpp — one question put to every segment of a snapshot, and the answers merged.
//
// Each segment answers from its graph; a condition is checked on the candidates, nearest first. When too few of them
// pass, more candidates are asked for, and when that no longer pays every record is checked and the matches are
// scanned exactly: a search never returns fewer records than exist.
//
// Thread safety: any number of searches at once; each borrows its own scratch from the pool.

// kith/core/matrix_view.hpp — rows of floats that somebody else owns.

namespace kith::inline v0_single {

/// Shape: row i holds `dim` elements and begins at data + i · stride; stride is in elements and at least dim.
struct MatrixView {
    const float* data = nullptr;
    std::size_t rows = 0;
    std::size_t dim = 0;
    std::size_t stride = 0;

    [[nodiscard]] const float* row(std::size_t at) const noexcept { return data + at * stride; }
};

}  // namespace kith::inline v0_single

// kith/core/parallel.hpp — pieces of work, shared by a few threads.
//
// Threads take the next piece when they have done one, so it does not matter which of them does which. What each piece
// computes must depend on its number alone; then the outcome is the same for any number of threads.
//
// Thread safety: any number of calls at once, also from within a piece; the threads are those of Executor::shared().

namespace kith::inline v0_single {

/// Calls work(piece, thread) once for each piece below `pieces`; thread 0 is the caller, the others are below
/// `threads`. A thread that cannot be had, because others are at work on every core, is missed only in speed.
/// Throws: what `work` throws first, after every thread has stopped; some pieces are then not done.
template <class Work>
void share_work(unsigned threads, std::size_t pieces, const Work& work) {
    Executor::shared().share(threads, pieces, work);
}

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

/// Says whether a record may be returned; null stands for every record.
using Accept = std::function<bool(const SegmentView& view, Slot slot)>;

struct SearchRequest {
    std::size_t vector_field = 0;
    const float* query = nullptr;
    std::size_t limit = 10;
    std::optional<std::size_t> ef_search;  ///< where it is given, it is tried instead of `recall`
    double recall = 0.95;
    bool exact = false;
    const Accept* accept = nullptr;
};

inline constexpr float unbounded = std::numeric_limits<float>::infinity();

struct Found {
    RecordId id;
    float distance = 0;

    friend bool operator<(const Found& a, const Found& b) noexcept {
        return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
    }
};

/// Scratch that searches borrow and give back, so that walking a graph allocates nothing once the pool is warm.
class ScratchPool {
public:
    class Lease {
    public:
        explicit Lease(ScratchPool& pool) : pool_(&pool), scratch_(pool.take()) {}
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease() { pool_->give_back(std::move(scratch_)); }

        SearchScratch& operator*() const noexcept { return *scratch_; }

    private:
        ScratchPool* pool_;
        std::unique_ptr<SearchScratch> scratch_;
    };

private:
    std::unique_ptr<SearchScratch> take() {
        const std::lock_guard lock(mutex_);
        if (idle_.empty()) return std::make_unique<SearchScratch>();
        std::unique_ptr<SearchScratch> scratch = std::move(idle_.back());
        idle_.pop_back();
        return scratch;
    }

    void give_back(std::unique_ptr<SearchScratch> scratch) noexcept {
        const std::lock_guard lock(mutex_);
        if (idle_.size() < most_idle) idle_.push_back(std::move(scratch));
    }

    static constexpr std::size_t most_idle = 64;

    std::mutex mutex_;
    std::vector<std::unique_ptr<SearchScratch>> idle_ = reserved();

    static std::vector<std::unique_ptr<SearchScratch>> reserved() {
        std::vector<std::unique_ptr<SearchScratch>> idle;
        idle.reserve(most_idle);
        return idle;
    }
};

/// Searches one segment.
class SegmentSearch {
public:
    /// Of records that are not nearer than `bound` it may leave out any.
    SegmentSearch(const SearchRequest& request, const SegmentView& view, SearchScratch& scratch,
                  float bound = unbounded)
        : request_(request),
          view_(view),
          bound_(bound),
          index_(view.segment->index(request.vector_field)),
          scratch_(scratch) {}

    /// Adds the nearest records of the segment to `out`, at most `limit` of them, nearest first.
    void run(std::vector<Found>& out) {
        if (request_.accept == nullptr) {
            nearest(request_.limit, view_.allowed());
            keep_first(neighbors_.size(), out);
        } else if (!try_candidates(out)) {
            scan_matches(out);
        }
        view_.segment->confirm(request_.vector_field);
    }

    /// For each query, adds to out[i] what run() adds for it with bounds[i].
    /// Requires: the request is exact, or accepts every record.
    void run_many(MatrixView queries, std::span<const float> bounds, std::span<SearchScratch* const> scratches,
                  std::vector<std::vector<Found>>& out) {
        BitsetView allowed = view_.allowed();
        std::size_t limit = std::min<std::size_t>(request_.limit, view_.live());
        if (request_.accept != nullptr) {
            limit = std::min(limit, find_matches());
            allowed = BitsetView(excluded_.data(), view_.count);
        }
        neighbors_.resize(queries.rows * limit);
        std::vector<std::size_t> found(queries.rows);
        if (const std::optional<SearchParams> params = params_for(limit, allowed)) {
            index_.search_many(queries.data, queries.rows, *params, scratches, neighbors_.data(), found.data(),
                               bounds.data());
        } else {
            index_.search_exact_many(queries.data, queries.rows, {limit, 1, allowed}, scratches, neighbors_.data(),
                                     found.data());
        }
        view_.segment->confirm(request_.vector_field);
        for (std::size_t at = 0; at < queries.rows; ++at) {
            keep(std::span(neighbors_).subspan(at * limit, found[at]), out[at]);
        }
    }

    /// What run() would do, before any condition.
    [[nodiscard]] SearchPlan plan() const {
        const std::size_t limit = std::min<std::size_t>(request_.limit, view_.live());
        const std::optional<SearchParams> params = params_for(limit, view_.allowed());
        if (params.has_value()) return index_.plan(*params);
        SearchPlan plan = index_.plan({limit, 1, view_.allowed()});
        plan.way = SearchWay::compare_all;
        return plan;
    }

    /// About how many elements of vectors run() reads.
    [[nodiscard]] std::size_t elements() const {
        constexpr Slot walked = 700;  // rows in the time of a walk that is bounded, where neighbours are easily found
        const SearchPlan plan = this->plan();
        const Slot indexed = plan.way == SearchWay::indexed ? plan.indexed : 0;
        return (std::size_t{view_.count} - indexed + std::min(indexed, walked)) * index_.dim();
    }

private:
    /// Fills neighbors_ with the nearest `limit` allowed slots: all of them where fewer exist.
    void nearest(std::size_t limit, BitsetView allowed) {
        const std::size_t expected = std::min<std::size_t>(limit, view_.live());
        neighbors_.resize(expected);
        const std::optional<SearchParams> params = params_for(expected, allowed);
        const std::size_t found =
            params.has_value()
                ? index_.search(request_.query, *params, scratch_, neighbors_.data())
                : index_.search_exact(request_.query, {expected, 1, allowed}, scratch_, neighbors_.data());
        neighbors_.resize(found);
    }

    /// How the index is asked; nothing where only comparing every vector is good enough.
    [[nodiscard]] std::optional<SearchParams> params_for(std::size_t limit, BitsetView allowed) const {
        if (request_.exact) return std::nullopt;
        const std::size_t kept = std::min<std::size_t>(std::max(request_.ef_search.value_or(1), limit), view_.count);
        SearchParams params{limit, static_cast<std::uint32_t>(kept), allowed};
        params.bound = bound_;
        return request_.ef_search.has_value() ? params : index_.tuned(request_.recall, params);
    }

    /// Checks the condition on ever more candidates; false when checking every record is the better plan.
    bool try_candidates(std::vector<Found>& out) {
        if (request_.exact) return false;
        const std::size_t live = view_.live();
        const std::size_t limit = std::min(request_.limit, live);
        for (std::size_t wanted = 4 * limit;; wanted *= 4) {
            nearest(wanted, view_.allowed());
            const auto rejected = [&](const Neighbor& neighbor) { return !(*request_.accept)(view_, neighbor.slot); };
            neighbors_.erase(std::remove_if(neighbors_.begin(), neighbors_.end(), rejected), neighbors_.end());
            if (neighbors_.size() >= limit || wanted >= live) break;
            if (wanted >= live / 16) return false;
        }
        keep_first(limit, out);
        return true;
    }

    /// Checks the condition on every record and scans those that match.
    void scan_matches(std::vector<Found>& out) {
        neighbors_.resize(std::min(request_.limit, find_matches()));
        const SearchParams params{neighbors_.size(), 1, BitsetView(excluded_.data(), view_.count)};
        neighbors_.resize(index_.search_exact(request_.query, params, scratch_, neighbors_.data()));
        keep_first(neighbors_.size(), out);
    }

    /// Checks the condition on every record and excludes those that do not match; returns how many do.
    std::size_t find_matches() {
        excluded_.assign((std::size_t{view_.count} + 63) / 64, 0);
        const BitsetView allowed = view_.allowed();
        std::size_t matches = 0;
        for (Slot slot = 0; slot < view_.count; ++slot) {
            if (allowed.allows(slot) && (*request_.accept)(view_, slot)) {
                ++matches;
            } else {
                excluded_[slot / 64] |= std::uint64_t{1} << (slot % 64);
            }
        }
        return matches;
    }

    void keep_first(std::size_t count, std::vector<Found>& out) {
        keep(std::span(neighbors_).first(std::min(count, neighbors_.size())), out);
    }

    void keep(std::span<const Neighbor> neighbors, std::vector<Found>& out) const {
        for (const Neighbor& neighbor : neighbors) {
            out.push_back({RecordId{view_.segment->id(), neighbor.slot}, neighbor.distance});
        }
    }

    const SearchRequest& request_;
    const SegmentView& view_;
    const float bound_;
    const VectorIndex& index_;
    SearchScratch& scratch_;
    std::vector<Neighbor> neighbors_;
    std::vector<std::uint64_t> excluded_;  // by the condition, once find_matches() ran
};

/// Puts what the segments found in order, and keeps the first `limit`.
inline void merge(std::vector<Found>& found, std::size_t limit) {
    std::sort(found.begin(), found.end());
    if (found.size() > limit) found.resize(limit);
}

/// The segments of a snapshot, those with most records first: they are asked in this order. Beyond the last neighbour that
/// the first one finds the others have nothing to find, which shortens their walks.
inline std::vector<const SegmentView*> largest_first(const Snapshot& snapshot) {
    std::vector<const SegmentView*> views;
    for (const SegmentView& view : snapshot.segments) views.push_back(&view);
    const auto larger = [](const SegmentView* a, const SegmentView* b) {
        return a->live() > b->live() || (a->live() == b->live() && a->segment->id() < b->segment->id());
    };
    std::sort(views.begin(), views.end(), larger);
    return views;
}

/// The distance of the last of `found`, which the first segment found, where those are all that are wanted.
/// With a condition there is no such bound: what does not pass must be made up for by what is farther.
inline float bound_of(const std::vector<Found>& found, const SearchRequest& request) {
    return request.accept != nullptr || found.size() < request.limit ? unbounded : found.back().distance;
}

/// Elements of vectors, besides those of the segment with most of them, from which on threads are a help: some 80 µs.
/// Less is done before a thread is awake, and to wake it costs the caller some microseconds.
inline constexpr std::size_t worth_a_thread = 1'000'000;

/// Whether it pays to share `views` among threads.
inline bool are_worth_a_thread(std::span<const SegmentView* const> views, const SearchRequest& request,
                               SearchScratch& scratch) {
    std::size_t all = 0;
    std::size_t most = 0;
    for (const SegmentView* view : views) {
        const std::size_t elements = SegmentSearch(request, *view, scratch).elements();
        all += elements;
        most = std::max(most, elements);
    }
    return all - most >= worth_a_thread;
}

/// The nearest `limit` records of the snapshot that the request accepts, nearest first; all where fewer exist. Segments
/// are shared by at most `threads` threads where that pays; a condition is checked by the caller's thread alone.
/// Ensures: the answer is the same for any number of threads.
inline std::vector<Found> search(const Snapshot& snapshot, const SearchRequest& request, ScratchPool& scratches,
                                 unsigned threads) {
    std::vector<Found> found;
    const std::vector<const SegmentView*> views = largest_first(snapshot);
    if (views.empty()) return found;
    const ScratchPool::Lease scratch(scratches);
    SegmentSearch(request, *views[0], *scratch).run(found);
    const float bound = bound_of(found, request);
    const auto rest = std::span(views).subspan(1);
    if (threads <= 1 || rest.size() <= 1 || request.accept != nullptr || !are_worth_a_thread(rest, request, *scratch)) {
        for (const SegmentView* view : rest) SegmentSearch(request, *view, *scratch, bound).run(found);
    } else {
        std::vector<std::vector<Found>> parts(rest.size());
        share_work(threads, rest.size(), [&](std::size_t at, unsigned thread) {
            if (thread == 0) {
                SegmentSearch(request, *rest[at], *scratch, bound).run(parts[at]);
            } else {
                const ScratchPool::Lease own(scratches);
                SegmentSearch(request, *rest[at], *own, bound).run(parts[at]);
            }
        });
        for (const std::vector<Found>& part : parts) found.insert(found.end(), part.begin(), part.end());
    }
    merge(found, request.limit);
    return found;
}

/// For each query what search() finds, by as many threads as there are scratches.
/// Requires: the rows of `queries` follow one another. `accepts` is empty or holds the condition once a thread.
inline std::vector<std::vector<Found>> search_many(const Snapshot& snapshot, SearchRequest request, MatrixView queries,
                                                   std::span<const Accept> accepts,
                                                   std::span<SearchScratch* const> scratches) {
    std::vector<std::vector<Found>> found(queries.rows);
    const std::vector<const SegmentView*> views = largest_first(snapshot);
    if (accepts.empty() || request.exact) {
        request.accept = accepts.empty() ? nullptr : &accepts[0];
        std::vector<float> bounds(queries.rows, unbounded);
        for (const SegmentView* view : views) {
            SegmentSearch(request, *view, *scratches[0]).run_many(queries, bounds, scratches, found);
            if (view != views[0]) continue;
            for (std::size_t at = 0; at < queries.rows; ++at) bounds[at] = bound_of(found[at], request);
        }
    } else {
        // How many candidates pass differs from query to query.
        share_work(static_cast<unsigned>(scratches.size()), queries.rows, [&](std::size_t at, unsigned thread) {
            SearchRequest one = request;
            one.query = queries.row(at);
            one.accept = &accepts[thread];
            for (const SegmentView* view : views) SegmentSearch(one, *view, *scratches[thread]).run(found[at]);
        });
    }
    for (std::vector<Found>& one : found) merge(one, request.limit);
    return found;
}

}  // namespace kith::inline v0_single::detail

// kith/collection/stage.hpp — the changes of a group of batches between being accepted and being seen.
//
// Records are appended to the last segment past what any snapshot shows; which keys point to them and which older
// versions die is kept here until the group is durable. A batch that fails is taken back whole.
//
// Thread safety: none; belongs to whoever holds the engine's writer role.

// kith/collection/batch.hpp — the bytes of one atomic batch, as the log keeps them.
//
//   batch     := varint count, then `count` operations
//   operation := u8 kind; varint-sized key; for a put also: varint-sized row, then the elements of each vector field
//                in the order of the schema, as vector_bytes.hpp has them
//   kind      := 1 put | 2 erase                                                                       (on disk)
//
// Writer and reader stand side by side here; replaying a log and applying a live call read the same bytes.

// kith/collection/vector_bytes.hpp — the vector of a record as the log keeps it: its elements as they are.
//
//   vector := its elements, little-endian: f32; u16 for f16 and bf16; a byte for i8, u8 and eight bits          (on disk)
//
// Thread safety: functions without state.

// kith/core/element.hpp — what a vector may be made of, and how floats become elements.
//
// Queries come as floats, whatever the rows hold. So each element type says how a float becomes one: rounded to the
// nearest, ties to even, and at the end of its range for what lies beyond, for an infinite element would make the
// distance of a vector from itself no number.
//
// Thread safety: values and functions.

// kith/core/half.hpp — floats of two bytes, and what they are worth as floats of four.
//
// Compilers disagree on which of their own 16-bit types exist, in which mode and with what name mangling, so these hold
// bits and convert by integer arithmetic. The conversions are always inline: no source leaves a copy of them that was
// built for a newer processor than the next source's.
//
// Thread safety: values.
// Source: IEEE 754-2008, binary16; Intel, "BFLOAT16 – Hardware Numerics Definition", 2018.

namespace kith::inline v0_single {

/// IEEE 754 binary16: 11 significant bits, from 2^-24 to 65504.
class Half {
public:
    Half() = default;

    /// The nearest half, ties to even: infinite from 65520 on, not a number when `value` is none.
    [[gnu::always_inline]] constexpr explicit Half(float value) noexcept : bits_(narrow(value)) {}

    [[gnu::always_inline]] static constexpr Half from_bits(std::uint16_t bits) noexcept {
        Half made;
        made.bits_ = bits;
        return made;
    }

    /// On disk: these bits, little-endian.
    [[nodiscard]] constexpr std::uint16_t bits() const noexcept { return bits_; }

    /// Exact.
    [[nodiscard, gnu::always_inline]] constexpr operator float() const noexcept {
        // The exponent moves to its place, and a multiplication corrects its bias: subnormal halves become normal
        // floats on the way, without a branch.
        constexpr float rebias = 0x1p112F;
        constexpr float past_largest = 0x1p16F;
        const std::uint32_t magnitude = (bits_ & 0x7fffU) << 13;
        const float finite = std::bit_cast<float>(magnitude) * rebias;
        const std::uint32_t special = finite >= past_largest ? 0x7f800000U : 0;
        const std::uint32_t sign = (bits_ & 0x8000U) << 16;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(finite) | special | sign);
    }

private:
    [[gnu::always_inline]] static constexpr std::uint16_t narrow(float value) noexcept {
        constexpr std::uint32_t infinity = 0x7f800000;
        constexpr std::uint32_t past_largest = 0x47800000;     // 65536
        constexpr std::uint32_t smallest_normal = 0x38800000;  // 2^-14
        constexpr std::uint32_t rebias = 0x38000000;           // the difference of the biases, 112, as an exponent
        const auto bits = std::bit_cast<std::uint32_t>(value);
        const std::uint32_t sign = (bits >> 16) & 0x8000U;
        const std::uint32_t magnitude = bits & 0x7fffffffU;
        std::uint32_t result = 0;
        if (magnitude > infinity) {
            result = 0x7e00U | ((magnitude >> 13) & 0x3ffU);  // quiet, with what fits of its payload
        } else if (magnitude >= past_largest) {
            result = 0x7c00U;
        } else if (magnitude < smallest_normal) {
            // The last bit of 0.5 is the smallest half, so adding it rounds.
            result = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
                     std::bit_cast<std::uint32_t>(0.5F);
        } else {
            result = (magnitude + 0xfffU + ((magnitude >> 13) & 1U) - rebias) >> 13;
        }
        return static_cast<std::uint16_t>(result | sign);
    }

    std::uint16_t bits_ = 0;
};

/// The upper half of a float: 8 significant bits, the range of a float.
class Bfloat16 {
public:
    Bfloat16() = default;

    /// The nearest bfloat16, ties to even: infinite past the largest, not a number when `value` is none.
    [[gnu::always_inline]] constexpr explicit Bfloat16(float value) noexcept : bits_(narrow(value)) {}

    [[gnu::always_inline]] static constexpr Bfloat16 from_bits(std::uint16_t bits) noexcept {
        Bfloat16 made;
        made.bits_ = bits;
        return made;
    }

    /// On disk: these bits, little-endian.
    [[nodiscard]] constexpr std::uint16_t bits() const noexcept { return bits_; }

    /// Exact.
    [[nodiscard, gnu::always_inline]] constexpr operator float() const noexcept {
        return std::bit_cast<float>(std::uint32_t{bits_} << 16);
    }

private:
    [[gnu::always_inline]] static constexpr std::uint16_t narrow(float value) noexcept {
        constexpr std::uint32_t infinity = 0x7f800000;
        const auto bits = std::bit_cast<std::uint32_t>(value);
        if ((bits & 0x7fffffffU) > infinity) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);  // quiet
        return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
    }

    std::uint16_t bits_ = 0;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// Eight dimensions of one bit: dimension i of a vector is bit i % 8, the lowest first, of its element i / 8.
/// Everything that takes elements counts these; a vector whose dimensions do not fill its last one has zeros there.
struct Bits8 {
    std::uint8_t bits = 0;

    friend constexpr bool operator==(Bits8, Bits8) = default;
};

/// An Element that stands for a number.
template <class T>
concept Number = std::same_as<T, float> || std::same_as<T, Half> || std::same_as<T, Bfloat16> ||
                 std::same_as<T, std::int8_t> || std::same_as<T, std::uint8_t>;

/// What rows may hold.
template <class T>
concept Element = Number<T> || std::same_as<T, Bits8>;

/// The name of an element type. Stored on disk: never rename.
template <Element T>
inline constexpr std::string_view element_name = std::same_as<T, float>          ? "f32"
                                                 : std::same_as<T, Half>         ? "f16"
                                                 : std::same_as<T, Bfloat16>     ? "bf16"
                                                 : std::same_as<T, std::int8_t>  ? "i8"
                                                 : std::same_as<T, std::uint8_t> ? "u8"
                                                                                 : "bits";

/// Dimensions in one element.
template <Element T>
inline constexpr std::size_t dimensions_an_element = std::same_as<T, Bits8> ? 8 : 1;

/// Elements that hold `dim` dimensions.
template <Element T>
[[nodiscard, gnu::always_inline]] constexpr std::size_t elements_for(std::size_t dim) noexcept {
    return (dim + dimensions_an_element<T> - 1) / dimensions_an_element<T>;
}

/// What the query is made of that kernels compare with rows of T. Against floats of two bytes it keeps its four: the
/// query is not rounded, and not converted again for each row.
template <Element T>
using QueryElement = std::conditional_t<std::same_as<T, Half> || std::same_as<T, Bfloat16>, float, T>;

/// The length of the longest vector: squared distances between such stay finite in floats.
inline constexpr double longest_vector = 1e18;

namespace detail {

/// The nearest whole number, ties to even. Requires: |value| is below 2^22.
[[gnu::always_inline]] constexpr std::int32_t nearest_integer(float value) noexcept {
    constexpr float rounder = 0x1.8p23F;  // the last bit of its neighbours is worth 1
    return std::bit_cast<std::int32_t>(value + rounder) - std::bit_cast<std::int32_t>(rounder);
}

/// The element nearest to `value`, within the range of T. Not a number becomes 0 or stays none.
template <Number T>
[[gnu::always_inline]] constexpr T nearest_element(float value) noexcept {
    constexpr float largest_half = 65504;
    constexpr float largest_bfloat = 0x1.fep127F;
    if constexpr (std::same_as<T, float>) {
        return value;
    } else if constexpr (std::same_as<T, Half>) {
        return Half(std::clamp(value, -largest_half, largest_half));
    } else if constexpr (std::same_as<T, Bfloat16>) {
        return Bfloat16(std::clamp(value, -largest_bfloat, largest_bfloat));
    } else if constexpr (std::same_as<T, std::int8_t>) {
        return value == value ? static_cast<T>(nearest_integer(std::clamp(value, -128.0F, 127.0F))) : T{0};
    } else {
        return value == value ? static_cast<T>(nearest_integer(std::clamp(value, 0.0F, 255.0F))) : T{0};
    }
}

}  // namespace detail

/// Writes `dim` floats as elements: numbers rounded and kept in range, bits set where the float is above 0.
/// Shape: `out` has room for elements_for<T>(dim).
template <Element T>
constexpr void encode_elements(const float* vector, std::size_t dim, T* out) noexcept {
    if constexpr (std::same_as<T, Bits8>) {
        for (std::size_t at = 0; at < elements_for<T>(dim); ++at) {
            unsigned bits = 0;
            for (std::size_t i = 8 * at; i < dim && i < 8 * at + 8; ++i) bits |= (vector[i] > 0 ? 1U : 0U) << (i % 8);
            out[at].bits = static_cast<std::uint8_t>(bits);
        }
    } else {
        for (std::size_t i = 0; i < dim; ++i) out[i] = detail::nearest_element<T>(vector[i]);
    }
}

/// Writes elements as `dim` floats, exactly; bits as 0 and 1.
/// Shape: `elements` holds elements_for<T>(dim), `out` has room for dim.
template <Element T>
constexpr void decode_elements(const T* elements, std::size_t dim, float* out) noexcept {
    if constexpr (std::same_as<T, Bits8>) {
        for (std::size_t i = 0; i < dim; ++i) out[i] = static_cast<float>((elements[i / 8].bits >> (i % 8)) & 1);
    } else {
        for (std::size_t i = 0; i < dim; ++i) out[i] = static_cast<float>(elements[i]);
    }
}

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

/// Bytes of a vector of `dim` dimensions.
template <Element T>
[[nodiscard]] constexpr std::size_t vector_bytes(std::size_t dim) noexcept {
    return elements_for<T>(dim) * sizeof(T);
}

template <Element T>
void write_vector(std::span<const T> elements, ByteWriter& writer) {
    static_assert(sizeof(T) <= 2 || std::same_as<T, float>);
    if constexpr (std::same_as<T, float>) {
        writer.f32s(elements);
    } else if constexpr (sizeof(T) == 1 || std::endian::native == std::endian::little) {
        writer.bytes(elements.data(), elements.size_bytes());
    } else {
        for (const T element : elements) writer.u16(std::bit_cast<std::uint16_t>(element));
    }
}

/// The floats of a vector that write_vector wrote.
/// Requires: `bytes` are vector_bytes<T>(dim). Shape: `out` has room for dim.
template <Element T>
void read_vector(const char* bytes, std::size_t dim, float* out) noexcept {
    constexpr std::size_t at_once = 64;
    std::array<T, at_once> elements;
    for (std::size_t done = 0; done < dim;) {
        const std::size_t dims = std::min(dim - done, at_once * dimensions_an_element<T>);
        const std::size_t count = elements_for<T>(dims);
        std::memcpy(elements.data(), bytes, count * sizeof(T));
        if constexpr (sizeof(T) > 1 && std::endian::native != std::endian::little) {
            for (T& element : elements) {
                auto* const first = reinterpret_cast<unsigned char*>(&element);
                std::reverse(first, first + sizeof(T));
            }
        }
        decode_elements(elements.data(), dims, out + done);
        bytes += count * sizeof(T);
        done += dims;
    }
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

enum class OperationKind : std::uint8_t { put = 1, erase = 2 };

/// One operation of a batch, in place.
struct Operation {
    OperationKind kind = OperationKind::put;
    std::string_view key;
    std::string_view row;      // put: the encoded record without its vectors
    std::string_view vectors;  // put: the elements of all vector fields
};

/// Builds a batch: operations are added one by one, then taken as bytes.
class BatchWriter {
public:
    void put(std::string_view key, std::string_view row) {
        begin(OperationKind::put, key);
        ByteWriter(body_).sized(row);
    }

    /// Adds the next vector field of the put just begun.
    template <Element T>
    void vector(std::span<const T> elements) {
        ByteWriter writer(body_);
        write_vector(elements, writer);
    }

    void erase(std::string_view key) { begin(OperationKind::erase, key); }

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    [[nodiscard]] std::string take() {
        std::string bytes;
        bytes.reserve(body_.size() + 10);
        ByteWriter writer(bytes);
        writer.varint(count_);
        writer.bytes(body_);
        body_.clear();
        count_ = 0;
        return bytes;
    }

private:
    void begin(OperationKind kind, std::string_view key) {
        ByteWriter writer(body_);
        writer.u8(static_cast<std::uint8_t>(kind));
        writer.sized(key);
        ++count_;
    }

    std::string body_;
    std::uint64_t count_ = 0;
};

/// Calls `visit(operation)` for each operation; false when the bytes are not a whole batch.
/// Shape: `vector_bytes` is the size of all vector fields of one record.
template <class Visit>
[[nodiscard]] bool read_batch(std::string_view bytes, std::size_t vector_bytes, Visit&& visit) {
    ByteReader reader(bytes);
    std::uint64_t count = 0;
    if (!reader.varint(count)) return false;
    for (; count > 0; --count) {
        std::uint8_t kind = 0;
        Operation operation;
        if (!reader.u8(kind) || !reader.sized(operation.key)) return false;
        if (kind == static_cast<std::uint8_t>(OperationKind::put)) {
            if (!reader.sized(operation.row) || !reader.bytes(vector_bytes, operation.vectors)) return false;
        } else if (kind == static_cast<std::uint8_t>(OperationKind::erase)) {
            operation.kind = OperationKind::erase;
        } else {
            return false;
        }
        visit(operation);
    }
    return reader.remaining() == 0;
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

class Stage {
public:
    Stage(const EngineSchema& schema, Slot segment_capacity) : schema_(&schema), segment_capacity_(segment_capacity) {}

    /// Changes of the key that are not published yet: null when there are none.
    [[nodiscard]] const std::optional<RecordId>* find(std::string_view key) const {
        const auto found = keys_.find(key);
        return found == keys_.end() ? nullptr : &found->second;
    }

    /// Appends a record as the newest version of `key`; `older` is the version it replaces.
    /// Throws: for want of memory, Errc::limit_exceeded; call roll_back() then.
    void put(const Operation& operation, std::optional<RecordId> older) {
        if (writing_ == nullptr || writing_->full()) {
            auto next = std::make_shared<Segment>(next_segment_, segment_capacity_, *schema_);
            static_cast<void>(take_segment_number());
            segments_.push_back(next);
            writing_ = std::move(next);
        }
        const Slot slot = writing_->append(operation.key, operation.row, operation.vectors);
        change(operation.key, RecordId{writing_->id(), slot}, older);
    }

    /// A number that no segment has had.
    /// Throws: Errc::limit_exceeded.
    [[nodiscard]] std::uint32_t take_segment_number() {
        if (next_segment_ == std::numeric_limits<std::uint32_t>::max()) {
            raise(Errc::limit_exceeded, "the collection has used up its segment numbers; copy it to a new one");
        }
        return next_segment_++;
    }

    /// Records that come from here on go to a new segment.
    /// Requires: everything staged is published.
    void end_segment() noexcept {
        if (writing_ != nullptr) writing_->end();
        writing_ = nullptr;
        save_point();
    }

    /// The segment that is being written; null when there is none.
    [[nodiscard]] const Segment* writing() const noexcept { return writing_.get(); }

    /// Bytes of the segment that is being written.
    [[nodiscard]] std::uint64_t writing_bytes() const noexcept { return writing_ == nullptr ? 0 : writing_->bytes(); }

    /// Marks `key` as erased; `older` is the version that dies.
    void erase(std::string_view key, RecordId older) { change(key, std::nullopt, older); }

    /// What was staged since the last savepoint can be taken back.
    void save_point() noexcept {
        undo_.clear();
        saved_deletes_ = deletes_.size();
        saved_segments_ = segments_.size();
        saved_next_segment_ = next_segment_;
        saved_writing_ = writing_.get();
        saved_slots_ = writing_ == nullptr ? 0 : writing_->size();
    }

    /// Takes back everything since save_point().
    void roll_back() noexcept {
        for (; !undo_.empty(); undo_.pop_back()) {
            auto& [key, before] = undo_.back();
            const auto found = keys_.find(key);
            if (found == keys_.end()) continue;
            if (before.has_value()) {
                found->second = *before;
            } else {
                keys_.erase(found);
            }
        }
        deletes_.resize(saved_deletes_);
        if (writing_.get() != saved_writing_) {
            const auto before = [&](const auto& segment) { return segment.get() == saved_writing_; };
            const auto found = std::find_if(segments_.begin(), segments_.end(), before);
            writing_ = found == segments_.end() ? nullptr : *found;
        }
        segments_.resize(saved_segments_);
        next_segment_ = saved_next_segment_;
        if (writing_ != nullptr) writing_->truncate(saved_slots_);
    }

    [[nodiscard]] const std::vector<std::shared_ptr<Segment>>& segments() const noexcept { return segments_; }
    [[nodiscard]] std::uint32_t next_segment() const noexcept { return next_segment_; }
    [[nodiscard]] const std::vector<RecordId>& deletes() const noexcept { return deletes_; }
    /// Those since save_point().
    [[nodiscard]] std::span<const RecordId> new_deletes() const noexcept {
        return std::span(deletes_).subspan(saved_deletes_);
    }
    [[nodiscard]] std::size_t key_count() const noexcept { return keys_.size(); }
    /// The changed keys, handed over; call published() next.
    [[nodiscard]] KeyMap take_keys() noexcept { return std::exchange(keys_, {}); }

    /// Goes on beside these segments; the one that is being written is among them, or ended.
    void replace(std::vector<std::shared_ptr<Segment>> segments) noexcept {
        segments_ = std::move(segments);
        save_point();
    }

    /// Begins with these segments, all sealed.
    void reset(std::vector<std::shared_ptr<Segment>> segments, std::uint32_t next_segment) noexcept {
        segments_ = std::move(segments);
        next_segment_ = next_segment;
        writing_ = nullptr;
        published();
    }

    /// Everything staged is visible now.
    void published() noexcept {
        keys_.clear();
        deletes_.clear();
        save_point();
    }

private:
    void change(std::string_view key, std::optional<RecordId> newest, std::optional<RecordId> older) {
        const auto found = keys_.find(key);
        if (found == keys_.end()) {
            undo_.emplace_back(std::string(key), std::nullopt);
            keys_.emplace(std::string(key), newest);
        } else {
            undo_.emplace_back(found->first, found->second);
            found->second = newest;
        }
        if (older.has_value()) deletes_.push_back(*older);
    }

    using Undo = std::pair<std::string, std::optional<std::optional<RecordId>>>;

    const EngineSchema* schema_;                      // the engine's
    Slot segment_capacity_;                           // of each new segment
    std::vector<std::shared_ptr<Segment>> segments_;  // all segments, ordered by id
    std::shared_ptr<Segment> writing_;                // where records go: one of segments_, or null
    std::uint32_t next_segment_ = 0;                  // id of the next one
    KeyMap keys_;                                     // changed and not published
    std::vector<RecordId> deletes_;                   // replaced or erased and not published
    std::vector<Undo> undo_;                          // what keys_ held before each change since save_point()
    std::size_t saved_deletes_ = 0;
    std::size_t saved_segments_ = 0;
    std::uint32_t saved_next_segment_ = 0;
    const Segment* saved_writing_ = nullptr;
    Slot saved_slots_ = 0;
};

}  // namespace kith::inline v0_single::detail

// kith/collection/stats.hpp — what a collection holds, where, and what could be given back.

namespace kith::inline v0_single {

/// One segment: a run of records with graphs of their own.
struct SegmentStats {
    std::uint32_t id = 0;
    Slot records = 0;     ///< that live
    Slot deleted = 0;     ///< replaced or erased, and still taking up space
    Slot linked = 0;      ///< of all slots, those in every graph; the rest is compared one by one
    bool sealed = false;  ///< in files; else in memory and in the log
};

/// Numbers of one moment. Bytes on the disk are the lengths of files.
struct CollectionStats {
    std::uint64_t records = 0;            ///< that live
    std::vector<SegmentStats> segments;   ///< ordered by id
    std::uint64_t deleted = 0;            ///< records that compact() would remove
    std::uint64_t memory_bytes = 0;       ///< of the records that are not sealed, as they were given
    std::uint64_t log_bytes = 0;          ///< of the log that no checkpoint holds yet
    std::uint64_t forward_bytes = 0;      ///< rows and keys; free pages among them are used again
    std::uint64_t segment_bytes = 0;      ///< vectors, graphs and keys of sealed segments
    std::uint64_t reclaimable_bytes = 0;  ///< of segment_bytes, the share of deleted records; compact() gives it back
    std::uint64_t retired_bytes = 0;      ///< of merged segments, which go when no snapshot or reader holds them
    std::uint64_t last_sequence = 0;      ///< number of the newest batch; 0 for a collection in memory
    std::string trouble;                  ///< why the last work in the background failed; empty when it did not

    [[nodiscard]] std::uint64_t disk_bytes() const noexcept {
        return log_bytes + forward_bytes + segment_bytes + retired_bytes;
    }
};

}  // namespace kith::inline v0_single

// kith/core/config.hpp — the switches a build may set, and what each means when it is left alone.
//
// KITH_COMPILED   1 when the program links the compiled unit (target kith::kith): distance kernels are chosen at run
//                 time and collections may live in a directory. 0 for header-only use, which works in memory.
// KITH_ENGINE_HERE 1 where the engine of collections is defined: with the compiled unit there alone, so that programs do
//                 not compile it again in each of their files; without it wherever it is used.
// KITH_ASSERTS    defined in builds that check contracts (see core/assert.hpp); every test build does.

#ifndef KITH_ENGINE_HERE
#define KITH_ENGINE_HERE !0
#endif

// Before a function that the compiled unit holds where there is one.
#define KITH_INLINE inline

namespace kith::inline v0_single::detail {

class MergeBuilder;

/// What a put does with a key that is present.
enum class OnExisting : std::uint8_t { refuse, replace };

class Engine {
public:
    /// A collection in memory, or over `opened` when it holds a store.
    /// Throws: what replaying the log raises.
    Engine(EngineSchema schema, const Options& options, OpenedStore opened);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// A record as a reader found it.
    struct Located {
        std::shared_ptr<const Snapshot> snapshot;
        const SegmentView* view;  // in *snapshot
        RecordId id;
    };

    /// Writes the batch that `prepare` returns; an empty one writes nothing. `prepare` runs while no other write
    /// does, so it may read what it replaces through newest_row and newest_vector.
    /// Throws: what prepare raises; already_exists, invalid_argument (a key twice), closed, read_only, poisoned,
    /// disk_full, io. Nothing of the batch was written then, except that after a failed sync (poisoned from then on)
    /// it may be found at the next open.
    void write(const std::function<std::string()>& prepare, OnExisting on_existing);

    /// For prepare only: the newest version of `key`, which may not be published yet.
    [[nodiscard]] std::optional<RecordId> newest(std::string_view key) const;
    [[nodiscard]] std::string newest_row(RecordId id) const;
    void newest_vector(RecordId id, std::size_t vector_field, float* out) const;

    /// Keeps the collection open while it is held; every reader takes one first.
    /// Throws: Errc::closed, Errc::forked.
    [[nodiscard]] std::shared_lock<std::shared_mutex> enter() const;

    /// Requires, for the five below: an enter() is held.
    [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;
    [[nodiscard]] std::optional<Located> locate(std::string_view key) const;
    [[nodiscard]] std::string row(const SegmentView& view, Slot slot) const;
    [[nodiscard]] std::vector<Found> search(const Snapshot& snapshot, const SearchRequest& request) const;
    [[nodiscard]] std::vector<std::vector<Found>> search_many(const Snapshot& snapshot, const SearchRequest& request,
                                                              MatrixView queries, std::span<const Accept> accepts,
                                                              unsigned threads) const;

    /// The record with `key` as `present` has it, which may be older than the engine's snapshot.
    [[nodiscard]] std::optional<Located> locate_in(std::shared_ptr<const Snapshot> present, std::string_view key) const;

    /// Moves a reader to the newest state: everything that the writer had acknowledged when it was called, and perhaps
    /// more. False when nothing changed, as always where there is no other writer.
    /// Throws: Errc::closed, Errc::forked; Errc::corrupt, Errc::io, Errc::locked: the reader stays at a state that was
    /// whole.
    bool refresh();

    /// Links the records that are published when it is called into their graphs.
    void link(const LongCall& call);

    /// Seals what is in memory into mapped files and drops the log; in memory it only links. Writers go on meanwhile.
    /// Throws: disk_full, io, read_only, poisoned, closed, cancelled, timed_out; the collection goes on as it was, but
    /// poisoned where a sync of the log or of the commit failed: after the latter, reads of sealed records may raise it
    /// too.
    void checkpoint(const LongCall& call);

    /// Seals, then merges until no record that was dead before is left and no two segments fit into one.
    /// Throws: as checkpoint; what was merged stays so.
    void compact(const LongCall& call);

    /// Writes what is acknowledged to another directory, while writers go on.
    BackupReport backup(const std::filesystem::path& destination, const BackupOptions& options, const LongCall& call);

    [[nodiscard]] CollectionStats stats() const;

    /// Makes every write durable and lets go of the files. Idempotent.
    /// Throws: disk_full, io when the sync fails, poisoned when an earlier one did; it is closed all the same.
    void close();

    [[nodiscard]] const RecoveryReport& recovery() const noexcept { return recovery_; }

private:
    struct Request {
        const std::function<std::string()>* prepare;
        OnExisting on_existing;
        std::exception_ptr error;
    };

    /// Whether another collection, here or elsewhere, may write what this one shows.
    [[nodiscard]] bool follows() const noexcept { return store_ != nullptr && options_.mode == OpenMode::read_only; }
    bool catch_up();
    bool apply_log();
    bool begin_anew(const StoreBase& base);
    [[nodiscard]] std::optional<RecordId> find_sealed(const Snapshot& present, std::string_view key) const;
    void follow_in_background();

    void require_writable() const;
    [[nodiscard]] bool forked() const noexcept { return ::getpid() != owner_; }
    [[nodiscard]] std::string shown(std::string_view key) const { return schema_.show_key(key); }

    void serve(const std::vector<Request*>& requests);
    void serve_one(const Request& request, NextSnapshot& next);
    std::size_t stage(std::string_view batch, OnExisting on_existing);
    template <class Act>
    void committing(const Act& act);
    void sync_log();
    void make_room(NextSnapshot& next, std::span<const RecordId> deletes);
    void publish(NextSnapshot& next) noexcept;
    void publish_staged();

    void wait_for_memory() const;
    void require_space(std::string_view batch) const;
    void measure_memory() noexcept;

    [[nodiscard]] static std::unique_lock<std::mutex> take(std::mutex& role, const LongCall& call);
    void seal(const LongCall& call);
    std::shared_ptr<const Snapshot> freeze(Checkpoint& checkpoint);
    void publish_written();
    [[nodiscard]] bool seal_is_due() const;

    using ChooseSegments = std::vector<std::size_t> (*)(std::span<const SegmentSize>, Slot capacity);
    bool merge(ChooseSegments choose, const LongCall& call);
    [[nodiscard]] std::uint32_t new_segment_number();
    [[nodiscard]] std::vector<SegmentView> parts_to_merge(ChooseSegments choose);
    [[nodiscard]] bool has_space_for(const std::vector<SegmentView>& parts) const;
    [[nodiscard]] static SegmentSize size_of(const SegmentView& view);
    [[nodiscard]] static std::vector<SegmentSize> sizes_of(const Snapshot& snapshot);
    [[nodiscard]] std::vector<SegmentView> chosen_of(const Snapshot& base, ChooseSegments choose) const;
    void index_merged(const MergeBuilder& builder, const LongCall& call) const;
    void publish_merged();
    void drop_unheld();

    void compact_memory(const LongCall& call);
    void merge_in_background();
    [[nodiscard]] Snapshot ended_in_memory(ChooseSegments choose);
    bool merge_in_memory(ChooseSegments choose, Snapshot& base, const LongCall& call);
    void publish_merged_in_memory(MergedSegments& merged);

    void start_background();
    void stop_background();
    template <class Act>
    void run_when_woken(const Act& act);
    void link_in_background();
    void keep_in_background();
    void run_sync_timer();
    void note_trouble(const std::exception_ptr& failed) noexcept;
    [[nodiscard]] LongCall background_call();
    [[nodiscard]] static std::vector<SegmentView> in_memory(const Snapshot& present);
    [[nodiscard]] std::vector<SegmentView> in_memory() const;
    bool link_some(const std::vector<SegmentView>& views);
    void calibrate(const std::vector<SegmentView>& views, const LongCall& call, bool to_seal) const;
    void link_all(const std::vector<SegmentView>& views, const LongCall& call);

    const EngineSchema schema_;
    const Options options_;
    std::unique_ptr<DurableStore> store_;  // null in memory
    const std::string name_;               // where it is, for errors
    const pid_t owner_ = ::getpid();       // the process whose threads and locks these are
    RecoveryReport recovery_;

    mutable std::shared_mutex lifetime_;  // shared by every call, exclusive to close
    std::atomic<bool> closing_{false};    // close() was called: no call begins any more
    bool closed_ = false;                 // guarded by lifetime_

    CommitQueue<Request> queue_;            // gives the writer role
    Stage stage_;                           // the writer role's
    std::shared_ptr<const Snapshot> base_;  // the writer role's: what is staged comes on top of it; null: of snapshot_
    std::optional<StoreBase> newer_base_;   // the writer role's: known to the store, and not published
    RecoveryReport applied_;                // the writer role's: what a reader has taken from the log
    std::atomic<bool> poisoned_{false};     // a sync failed: memory is ahead of what is surely on the disk

    std::mutex merging_;                    // gives the merging role
    std::mutex keeper_;                     // gives the keeper role
    std::optional<MergedSegments> merged_;  // the keeper role's: committed, and not published yet
    std::optional<std::vector<std::shared_ptr<Segment>>> written_;  // the keeper role's: likewise

    mutable std::shared_mutex published_mutex_;  // held for a look-up in memory or an exchange, no longer
    KeyMap keys_;                                // guarded by published_mutex_: changed since the last freeze
    KeyMap frozen_keys_;                         // guarded by published_mutex_: changed before, and not committed
    Relocation relocation_;                      // guarded by published_mutex_: from keys_ to snapshot_, in memory
    std::shared_ptr<const Snapshot> snapshot_;   // guarded by published_mutex_

    std::atomic<std::uint64_t> memory_bytes_ = 0;   // of the records of segments in memory
    std::atomic<std::uint64_t> writing_bytes_ = 0;  // of those, in the segment that is being written
    std::atomic<std::uint64_t> disk_bytes_ = 0;     // without the log, when it was last looked at

    mutable ScratchPool scratch_;

    /// The threads, and what wakes them.
    struct Background {
        mutable std::mutex mutex;
        std::condition_variable wake;
        std::condition_variable sealed;  // memory was given back, or could not be
        bool stopping = false;           // guarded by mutex
        std::uint64_t arrivals = 0;      // guarded by mutex: how often work arrived
        std::string trouble;             // guarded by mutex: why the last seal or merge failed, empty when none did
        std::thread linker;
        std::thread keeper;
        std::thread sync_timer;  // runs for Durability::interval only
        std::thread follower;    // runs for Options::follow only
    };
    std::unique_ptr<Background> background_ = std::make_unique<Background>();
};

}  // namespace kith::inline v0_single::detail

// kith/collection/engine/background.hpp — what happens between calls: linking, timed syncs, checkpoints, closing.

// kith/core/thread_priority.hpp — work in the background gives way to work that someone waits for.
//
// Platforms: Linux, where each thread has a nice value of its own; elsewhere nothing happens.

namespace kith::inline v0_single::detail {

/// Gives the calling thread, and those it starts from here on, a third of the share that it would get of a core which
/// others want too. A core that is idle it gets whole.
inline void give_way_to_others() noexcept {
#if defined(__linux__)
    constexpr int step = 5, lowest = 19;
    errno = 0;
    const int now = ::getpriority(PRIO_PROCESS, 0);
    if (now == -1 && errno != 0) return;
    static_cast<void>(::setpriority(PRIO_PROCESS, 0, std::min(now + step, lowest)));  // lower is always allowed
#endif
}

}  // namespace kith::inline v0_single::detail

#if KITH_ENGINE_HERE

namespace kith::inline v0_single::detail {

KITH_INLINE void Engine::start_background() {
    const bool writable = store_ != nullptr && options_.mode != OpenMode::read_only;
    const bool timed = writable && options_.durability.level() == Durability::Level::interval;
    const bool automatic = options_.maintenance == Maintenance::automatic;
    const std::exception_ptr failed = attempt([&] {
        background_->linker = std::thread([this] { link_in_background(); });
        if (writable && automatic) background_->keeper = std::thread([this] { keep_in_background(); });
        if (store_ == nullptr && automatic) background_->keeper = std::thread([this] { merge_in_background(); });
        if (timed) background_->sync_timer = std::thread([this] { run_sync_timer(); });
        if (follows() && options_.follow.count() > 0) {
            background_->follower = std::thread([this] { follow_in_background(); });
        }
    });
    if (failed == nullptr) return;
    stop_background();
    raise(Errc::out_of_memory, name_ + ": its background threads cannot be started: " + text_of(failed));
}

KITH_INLINE void Engine::stop_background() {
    {
        const std::lock_guard lock(background_->mutex);
        background_->stopping = true;
    }
    background_->wake.notify_all();
    background_->sealed.notify_all();
    for (std::thread* thread :
         {&background_->linker, &background_->keeper, &background_->sync_timer, &background_->follower}) {
        if (thread->joinable()) thread->join();
    }
}

/// Calls act(), as work that takes a core, at once and after each arrival of work, until the collection closes; again at once while it returns true.
template <class Act>
void Engine::run_when_woken(const Act& act) {
    std::uint64_t seen = 0;
    for (bool more = true;;) {
        {
            std::unique_lock lock(background_->mutex);
            if (!more) {
                background_->wake.wait(lock, [&] { return background_->stopping || background_->arrivals != seen; });
            }
            if (background_->stopping) return;
            seen = background_->arrivals;
        }
        Executor::shared().attend([&] { more = act(); });
    }
}

/// Trouble here loses nothing: records that are not linked are compared one by one.
KITH_INLINE void Engine::link_in_background() {
    give_way_to_others();
    run_when_woken([this] {
        bool more = false;
        static_cast<void>(attempt([&] {
            more = link_some(in_memory());
            if (!more) calibrate(in_memory(), background_call(), false);
        }));
        return more;
    });
}

/// Trouble here loses nothing either: what is not sealed is in memory and in the log. It is shown by stats(), and tried
/// again when a quarter more has come than there was.
KITH_INLINE void Engine::keep_in_background() {
    give_way_to_others();
    std::uint64_t seal_from = 0;
    run_when_woken([&] {
        const bool again = store_->log_bytes() >= seal_from;
        const std::exception_ptr failed = attempt([&] {
            if (again) {
                const std::lock_guard keeper(keeper_);
                if (seal_is_due()) seal(background_call());
            }
            while (again && merge(&next_merge, background_call())) {
            }
            drop_unheld();
        });
        seal_from = failed == nullptr ? 0 : store_->log_bytes() + store_->log_bytes() / 4 + 1;
        if (again) note_trouble(failed);
        background_->sealed.notify_all();
        return false;
    });
}

/// Has stats() show why work in the background failed, or that it did not.
KITH_INLINE void Engine::note_trouble(const std::exception_ptr& failed) noexcept {
    std::string trouble;
    const auto describe = [&] { trouble = failed == nullptr ? std::string() : text_of(failed); };
    if (attempt(describe) != nullptr) trouble = "out of memory";  // so few letters that it takes none
    const std::lock_guard lock(background_->mutex);
    background_->trouble.swap(trouble);
}

/// A call that the closing of the collection stops.
KITH_INLINE LongCall Engine::background_call() {
    LongCall call;
    call.progress = [this](double) {
        if (closing_.load()) raise(Errc::cancelled, "the collection closes");
    };
    return call;
}

KITH_INLINE void Engine::run_sync_timer() {
    std::unique_lock lock(background_->mutex);
    while (!background_->wake.wait_for(lock, options_.durability.period(), [this] { return background_->stopping; })) {
        lock.unlock();
        static_cast<void>(attempt([this] { queue_.exclusive([this] { sync_log(); }); }));
        lock.lock();
    }
}

/// The segments of `present` that are not sealed. Who works on them for long holds them alone: who holds a sealed one as
/// well keeps it on the disk when a merge has replaced it.
KITH_INLINE std::vector<SegmentView> Engine::in_memory(const Snapshot& present) {
    std::vector<SegmentView> views;
    for (const SegmentView& view : present.segments) {
        if (!view.segment->sealed()) views.push_back(view);
    }
    return views;
}

KITH_INLINE std::vector<SegmentView> Engine::in_memory() const {
    const std::shared_ptr<const Snapshot> present = snapshot();  // let go of before anybody works on what is returned
    return in_memory(*present);
}

/// Links a chunk of the records of `views`; false when none is left.
KITH_INLINE bool Engine::link_some(const std::vector<SegmentView>& views) {
    constexpr Slot chunk = 256;
    for (const SegmentView& view : views) {
        const Slot linked = view.segment->linked();
        if (linked < view.count) {
            view.segment->link_up_to(std::min(view.count, linked + chunk), options_.index_threads);
            return true;
        }
    }
    return false;
}

/// Measures recall where it is due.
KITH_INLINE void Engine::calibrate(const std::vector<SegmentView>& views, const LongCall& call, bool to_seal) const {
    Training training;
    training.threads = options_.index_threads;
    training.progress = [&](double) {
        call.check(0.9);
        return true;
    };
    for (const SegmentView& view : views) view.segment->calibrate(training, to_seal);
}

/// Links the records of `views` and none that come later, so that writers cannot keep it busy for good.
KITH_INLINE void Engine::link_all(const std::vector<SegmentView>& views, const LongCall& call) {
    double slots = 0;
    double linked = 0;
    for (const SegmentView& view : views) slots += view.count;
    do {
        linked = 0;
        for (const SegmentView& view : views) linked += std::min(view.segment->linked(), view.count);
        call.check(slots == 0 ? 0 : 0.9 * linked / slots);
    } while (link_some(views));
}

KITH_INLINE void Engine::link(const LongCall& call) {
    const auto open = enter();
    link_all(in_memory(), call);
}

KITH_INLINE void Engine::close() {
    if (forked()) raise(Errc::forked, name_ + ": was opened by another process");
    closing_.store(true);
    {
        const std::lock_guard lock(background_->mutex);  // so that nobody misses it between asking and waiting
    }
    background_->sealed.notify_all();
    const std::unique_lock lock(lifetime_);
    if (closed_) return;
    closed_ = true;
    stop_background();
    const std::exception_ptr failed = attempt([&] {
        if (store_ == nullptr || options_.mode == OpenMode::read_only) return;
        require_writable();
        sync_log();
    });
    store_.reset();
    if (failed != nullptr) std::rethrow_exception(failed);
}

}  // namespace kith::inline v0_single::detail

#endif

// kith/collection/engine/merge.hpp — several segments become one, while readers and writers go on.
//
// The new segment is built from the records that live as of the checkpoint when the merge begins. What dies meanwhile is
// deleted in it when it takes their place.
//
// Thread safety: what is not public runs in the merging role.

// kith/collection/engine/merge_builder.hpp — the records of several segments, put into one.
//
// Thread safety: none; belongs to whoever holds the engine's merging role.

namespace kith::inline v0_single::detail {

/// A segment that is being made of several: indexes in memory, and where each record went.
class MergeBuilder {
public:
    /// The graph of the largest part is taken over where at most the share `dead_kept` of its records is deleted: then
    /// only the records of the others are linked anew, and the dead of the largest stay as slots that nobody sees.
    /// Where `dead_kept` is negative no graph is taken over.
    /// Shape: `parts` are the segments as the checkpoint has them, the largest first.
    MergeBuilder(const EngineSchema& schema, std::uint32_t id, const std::vector<SegmentView>& parts, double dead_kept)
        : id_(id) {
        std::uint64_t capacity = 0;
        for (const SegmentView& part : parts) capacity += part.count;
        for (const VectorFieldType& field : schema.vectors) {
            indexes_.push_back(field.make(field.dim, static_cast<Slot>(capacity)));
        }
        const SegmentView& largest = parts.front();
        const bool whole = parts.size() > 1 && static_cast<double>(largest.count - largest.live()) <=
                                                   dead_kept * static_cast<double>(largest.count);
        if (whole) take_over(largest);
        for (const SegmentView& part : std::span(parts).subspan(whole ? 1 : 0)) append(part);
    }

    [[nodiscard]] Slot count() const noexcept { return count_; }
    [[nodiscard]] const std::vector<std::unique_ptr<VectorIndex>>& indexes() const noexcept { return indexes_; }
    [[nodiscard]] std::vector<MovedSegment> take_moves() noexcept { return std::move(moves_); }
    [[nodiscard]] std::vector<std::unique_ptr<VectorIndex>> take_indexes() noexcept { return std::move(indexes_); }

    /// What the files are written from; it refers to this, and to the parts.
    [[nodiscard]] SegmentImage image() const {
        SegmentImage image{id_, count_, {}, {}};
        for (const auto& index : indexes_) image.indexes.push_back(index.get());
        for (const MovedSegment& part : moves_) {
            const KeyTable& keys = part.from->key_table();
            for (Slot at = 0; at < keys.size(); ++at) {
                const Slot slot = keys.slot(at);
                if (slot < part.to.size() && part.to[slot] != no_slot)
                    image.keys.push_back({keys.key(at), part.to[slot]});
            }
        }
        std::sort(image.keys.begin(), image.keys.end());
        return image;
    }

private:
    /// Slot for slot, dead ones too.
    void take_over(const SegmentView& part) {
        for (std::size_t field = 0; field < indexes_.size(); ++field) {
            const bool taken = indexes_[field]->adopt(part.segment->index(field));
            part.segment->confirm(field);  // damage that was copied would have a right checksum from then on
            if (taken) continue;
            for (Slot slot = 0; slot < part.count; ++slot) copy_vector(*part.segment, slot, field);
        }
        MovedSegment moved{part.segment, std::vector<Slot>(part.count, no_slot)};
        const BitsetView allowed = part.allowed();
        for (Slot slot = 0; slot < part.count; ++slot) {
            if (allowed.allows(slot)) moved.to[slot] = slot;
        }
        count_ = part.count;
        moves_.push_back(std::move(moved));
    }

    void append(const SegmentView& part) {
        MovedSegment moved{part.segment, std::vector<Slot>(part.count, no_slot)};
        const BitsetView allowed = part.allowed();
        for (Slot slot = 0; slot < part.count; ++slot) {
            if (!allowed.allows(slot)) continue;
            for (std::size_t field = 0; field < indexes_.size(); ++field) copy_vector(*part.segment, slot, field);
            moved.to[slot] = count_++;
        }
        moves_.push_back(std::move(moved));
    }

    void copy_vector(const Segment& from, Slot slot, std::size_t field) {
        vector_.resize(indexes_[field]->dim());
        from.vector(field, slot, vector_.data());
        indexes_[field]->append(vector_.data());
    }

    std::uint32_t id_;
    Slot count_ = 0;  // slots given out
    std::vector<std::unique_ptr<VectorIndex>> indexes_;
    std::vector<MovedSegment> moves_;
    std::vector<float> vector_;
};

}  // namespace kith::inline v0_single::detail

#if KITH_ENGINE_HERE

namespace kith::inline v0_single::detail {

KITH_INLINE BackupReport Engine::backup(const std::filesystem::path& destination, const BackupOptions& options,
                                        const LongCall& call) {
    const auto open = enter();
    if (store_ == nullptr) raise(Errc::invalid_argument, "a collection in memory has no files to back up");
    require_writable();
    const auto merging = take(merging_, call);  // so that no merge removes files, or begins to
    const auto keeper = take(keeper_, call);
    queue_.exclusive([this] { sync_log(); });  // what was acknowledged is whole in the log
    return store_->backup(destination, options, call);
}

KITH_INLINE void Engine::compact(const LongCall& call) {
    checkpoint(call);
    const auto open = enter();
    if (store_ == nullptr) return compact_memory(call);
    while (merge(&next_compaction, call)) {
    }
    drop_unheld();
    const auto keeper = take(keeper_, call);
    committing([&] { store_->give_back(call); });
    disk_bytes_.store(store_->bytes().without_log());
}

/// Merges the segments that `choose` says; false when it says none.
KITH_INLINE bool Engine::merge(ChooseSegments choose, const LongCall& call) {
    const auto merging = take(merging_, call);
    require_writable();
    const std::vector<SegmentView> parts = parts_to_merge(choose);
    if (parts.empty()) return false;
    const std::uint32_t id = new_segment_number();
    MergedSegments merged;
    merged.next_segment = id + 1;
    constexpr double dead_kept_for_speed = 0.1;
    MergeBuilder builder(schema_, id, parts, choose == &next_merge ? dead_kept_for_speed : 0);
    index_merged(builder, call);
    if (builder.count() > 0) merged.segment = store_->write_segment(builder.image(), call);
    merged.parts = builder.take_moves();
    if (merged.segment != nullptr) committing([&] { store_->copy_rows(merged, call); });
    const std::lock_guard keeper(keeper_);
    committing([&] { store_->commit_merge(merged); });
    merged_ = std::move(merged);
    publish_merged();
    return true;
}

/// Takes the writer role.
KITH_INLINE std::uint32_t Engine::new_segment_number() {
    return queue_.exclusive([&] {
        const std::uint32_t taken = stage_.take_segment_number();
        stage_.save_point();
        return taken;
    });
}

/// The segments to merge as the checkpoint has them, the largest first; none where no space for it is left. Takes the
/// keeper role.
KITH_INLINE std::vector<SegmentView> Engine::parts_to_merge(ChooseSegments choose) {
    const std::lock_guard keeper(keeper_);
    publish_written();
    publish_merged();
    std::vector<SegmentView> parts = chosen_of(store_->committed(), choose);
    if (choose == &next_merge && !has_space_for(parts)) parts.clear();
    return parts;
}

/// Whether Options::max_disk_bytes allows what a merge of `parts` makes beside them: about the share of files and rows
/// that their live records have now. In the keeper role.
KITH_INLINE bool Engine::has_space_for(const std::vector<SegmentView>& parts) const {
    if (options_.max_disk_bytes == 0 || parts.empty()) return true;
    double slots = 0;
    double merged = 0;
    for (const SegmentView& view : store_->committed().segments) slots += view.count;
    for (const SegmentView& part : parts) merged += part.live();
    const StoreBytes bytes = store_->bytes();
    const double more = static_cast<double>(bytes.segments + bytes.forward) * merged / slots;
    return static_cast<double>(bytes.log + bytes.without_log()) + more <= static_cast<double>(options_.max_disk_bytes);
}

KITH_INLINE SegmentSize Engine::size_of(const SegmentView& view) {
    return {view.live(), view.count - view.live(), view.segment->outdated()};
}

KITH_INLINE std::vector<SegmentSize> Engine::sizes_of(const Snapshot& snapshot) {
    std::vector<SegmentSize> sizes;
    for (const SegmentView& view : snapshot.segments) sizes.push_back(size_of(view));
    return sizes;
}

/// The segments of `base` that `choose` says, the largest first.
KITH_INLINE std::vector<SegmentView> Engine::chosen_of(const Snapshot& base, ChooseSegments choose) const {
    std::vector<SegmentView> parts;
    for (const std::size_t at : choose(sizes_of(base), options_.segment_capacity)) parts.push_back(base.segments[at]);
    std::sort(parts.begin(), parts.end(), [](const SegmentView& a, const SegmentView& b) {
        return a.live() > b.live() || (a.live() == b.live() && a.segment->id() < b.segment->id());
    });
    return parts;
}

/// Links and measures what the new segment holds.
KITH_INLINE void Engine::index_merged(const MergeBuilder& builder, const LongCall& call) const {
    Training training{.threads = options_.index_threads, .progress = {}};
    training.progress = [&](double) {
        call.check(0.9);
        return true;
    };
    constexpr Slot chunk = 1024;
    for (Slot linked = 0; linked < builder.count();) {
        call.check(0.9 * linked / builder.count());
        linked = std::min<Slot>(builder.count(), linked + chunk);
        for (const auto& index : builder.indexes()) index->index_up_to(linked, options_.index_threads);
    }
    for (const auto& index : builder.indexes()) {
        if (index->calibration_due()) index->calibrate(training);
    }
}

/// Shows what was merged last; when it raises, the next seal or merge begins with it. In the keeper role; takes the
/// writer role.
KITH_INLINE void Engine::publish_merged() {
    if (!merged_.has_value()) return;
    queue_.exclusive([&] {
        auto next = std::make_shared<Snapshot>(merged_->applied_to(*snapshot_));
        stage_.replace(next->all_segments());
        const std::unique_lock lock(published_mutex_);
        snapshot_ = std::move(next);
    });
    merged_.reset();
}

/// Takes the keeper role: gives back what merged segments took up, where nobody holds them.
KITH_INLINE void Engine::drop_unheld() {
    const std::lock_guard keeper(keeper_);
    committing([&] { store_->purge(); });
    disk_bytes_.store(store_->bytes().without_log());
}

}  // namespace kith::inline v0_single::detail

#endif

// kith/collection/engine/merge_memory.hpp — what a collection without a directory gives back.
//
// It has no checkpoint to begin from, and its segments are never sealed: so a merge begins from what was published at one
// moment, all but the segment that records still go to, and that one is ended when enough of it is dead. The rest is as on
// the disk, and so is the choice of what to merge.
//
// Thread safety: what is not public runs in the merging role.

#if KITH_ENGINE_HERE

namespace kith::inline v0_single::detail {

KITH_INLINE void Engine::compact_memory(const LongCall& call) {
    const auto merging = take(merging_, call);
    Snapshot base = ended_in_memory(&next_compaction);
    while (merge_in_memory(&next_compaction, base, call)) {
    }
}

/// Trouble here loses nothing, and is shown by stats(): the dead stay, and the next write has it tried again.
KITH_INLINE void Engine::merge_in_background() {
    give_way_to_others();
    run_when_woken([this] {
        note_trouble(attempt([&] {
            const std::lock_guard merging(merging_);
            Snapshot base = ended_in_memory(&next_merge);
            while (merge_in_memory(&next_merge, base, background_call())) {
            }
        }));
        return false;
    });
}

/// What was published, but for the segment that is being written. That one is ended first where `choose` would have it.
/// Takes the writer role.
KITH_INLINE Snapshot Engine::ended_in_memory(ChooseSegments choose) {
    return queue_.exclusive([&] {
        Snapshot base = *snapshot_;
        const auto is_written = [&](const SegmentView& view) { return view.segment.get() == stage_.writing(); };
        const auto written = std::find_if(base.segments.begin(), base.segments.end(), is_written);
        if (written == base.segments.end()) return base;
        const bool due = choose == &next_merge ? mostly_dead(size_of(*written))
                                               : !choose(sizes_of(base), options_.segment_capacity).empty();
        if (due) {
            stage_.end_segment();
            measure_memory();
        } else {
            base.segments.erase(written);
        }
        return base;
    });
}

/// Merges the segments that `choose` says of `base`, which then has the new one; false when it says none.
KITH_INLINE bool Engine::merge_in_memory(ChooseSegments choose, Snapshot& base, const LongCall& call) {
    const std::vector<SegmentView> parts = chosen_of(base, choose);
    if (parts.empty()) return false;
    const std::uint32_t id = new_segment_number();
    constexpr double no_graph_is_kept = -1;  // a segment in memory may be linked, or measured, while it is copied
    MergeBuilder builder(schema_, id, parts, no_graph_is_kept);
    index_merged(builder, call);
    MergedSegments merged;
    merged.parts = builder.take_moves();
    if (builder.count() > 0) {
        auto rows = std::make_unique<RowStore>(builder.count());
        for (const MovedSegment& part : merged.parts) {
            for (Slot slot = 0; slot < part.to.size(); ++slot) {
                if (part.to[slot] != no_slot) rows->append(part.from->key(slot), part.from->row(slot));
            }
        }
        merged.segment = std::make_shared<Segment>(id, schema_, std::move(rows), builder.take_indexes());
    }
    base = merged.applied_to(base);
    publish_merged_in_memory(merged);
    return true;
}

/// Shows `merged`, and leads the keys to it. Takes the writer role.
KITH_INLINE void Engine::publish_merged_in_memory(MergedSegments& merged) {
    queue_.exclusive([&] {
        auto next = std::make_shared<Snapshot>(merged.applied_to(*snapshot_));
        std::vector<std::shared_ptr<Segment>> segments = next->all_segments();
        Relocation relocation(merged);
        stage_.replace(std::move(segments));
        {
            const std::unique_lock lock(published_mutex_);
            relocation_ = std::move(relocation);
            snapshot_ = std::move(next);
        }
        measure_memory();
    });
    constexpr Slot keys_at_once = 1024;  // for which a reader or a writer waits
    const Slot count = merged.segment == nullptr ? 0 : merged.segment->size();
    for (Slot slot = 0; slot < count;) {
        const Slot until = std::min(count, slot + keys_at_once);
        queue_.exclusive([&] {
            const std::unique_lock lock(published_mutex_);
            for (; slot < until; ++slot) {
                const auto found = keys_.find(merged.segment->key(slot));
                if (found != keys_.end() && found->second.has_value()) found->second = relocation_(*found->second);
            }
        });
    }
    Relocation done;
    queue_.exclusive([&] {
        const std::unique_lock lock(published_mutex_);
        std::swap(relocation_, done);
    });
}

}  // namespace kith::inline v0_single::detail

#endif

// kith/collection/engine/read.hpp — opening, looking up and searching.

#if KITH_ENGINE_HERE

namespace kith::inline v0_single::detail {

KITH_INLINE Engine::Engine(EngineSchema schema, const Options& options, OpenedStore opened)
    : schema_(std::move(schema)),
      options_(options),
      store_(std::move(opened.store)),
      name_(store_ != nullptr ? store_->path().string() : "the collection in memory"),
      stage_(schema_, options.segment_capacity),
      snapshot_(opened.snapshot != nullptr ? std::move(opened.snapshot) : std::make_shared<const Snapshot>()) {
    stage_.reset(snapshot_->all_segments(), opened.next_segment);
    if (follows()) {
        newer_base_ = StoreBase{snapshot_, opened.next_segment};
        catch_up();
        recovery_ = store_->followed();
        recovery_.replayed_batches = applied_.replayed_batches;
        recovery_.replayed_operations = applied_.replayed_operations;
    } else if (store_ != nullptr) {
        std::uint64_t operations = 0;
        recovery_ = store_->replay([&](std::string_view batch) {
            operations += stage(batch, OnExisting::replace);
            stage_.save_point();
        });
        publish_staged();
        recovery_.replayed_operations = operations;
        disk_bytes_.store(store_->bytes().without_log());
    }
    measure_memory();
    start_background();
}

KITH_INLINE Engine::~Engine() {
    if (forked()) {
        // The threads are the parent's. To join them, or to destroy what they wait on, would wait forever.
        static_cast<void>(background_.release());
        return;
    }
    static_cast<void>(attempt([this] { close(); }));
}

KITH_INLINE std::shared_lock<std::shared_mutex> Engine::enter() const {
    if (forked()) {
        raise(Errc::forked,
              name_ + ": was opened by process " + std::to_string(owner_) + "; open it again in the forked process");
    }
    // Asked before the lock, which readers who keep coming would keep from close() for good.
    if (closing_.load()) raise(Errc::closed, name_ + ": is closed");
    std::shared_lock lock(lifetime_);
    if (closed_) raise(Errc::closed, name_ + ": is closed");
    return lock;
}

KITH_INLINE std::shared_ptr<const Snapshot> Engine::snapshot() const {
    const std::shared_lock lock(published_mutex_);
    return snapshot_;
}

KITH_INLINE std::optional<Engine::Located> Engine::locate(std::string_view key) const {
    for (std::shared_ptr<const Snapshot> before;;) {
        std::shared_ptr<const Snapshot> present;
        std::optional<RecordId> id;
        bool changed = false;
        {
            const std::shared_lock lock(published_mutex_);
            present = snapshot_;
            for (const KeyMap* keys : {&keys_, &frozen_keys_}) {
                const auto found = keys->find(key);
                if (found == keys->end()) continue;
                changed = true;
                if (found->second.has_value()) id = relocation_(*found->second);
                break;
            }
        }
        // Not under the lock: writers would wait for it, and it may read from the disk.
        if (!changed && store_ != nullptr) id = find_sealed(*present, key);
        if (!id.has_value()) return std::nullopt;
        if (const SegmentView* view = present->find(*id)) return Located{std::move(present), view, *id};
        // The store knew a newer version: a checkpoint came in between, and with it another snapshot.
        if (present == before) raise(Errc::corrupt, "the key " + shown(key) + " leads to a record that is not there");
        before = std::move(present);
    }
}

KITH_INLINE std::optional<Engine::Located> Engine::locate_in(std::shared_ptr<const Snapshot> present,
                                                             std::string_view key) const {
    for (auto view = present->segments.rbegin(); view != present->segments.rend(); ++view) {
        if (const std::optional<Slot> slot = view->segment->find(key, view->allowed())) {
            const RecordId id{view->segment->id(), *slot};
            const SegmentView* found = &*view;
            return Located{std::move(present), found, id};
        }
    }
    return std::nullopt;
}

KITH_INLINE std::string Engine::row(const SegmentView& view, Slot slot) const {
    if (!view.segment->sealed()) return std::string(view.segment->row(slot));
    return store_->row({view.segment->id(), slot});
}

KITH_INLINE std::vector<Found> Engine::search(const Snapshot& snapshot, const SearchRequest& request) const {
    return detail::search(snapshot, request, scratch_, options_.search_threads);
}

KITH_INLINE std::vector<std::vector<Found>> Engine::search_many(const Snapshot& snapshot, const SearchRequest& request,
                                                                MatrixView queries, std::span<const Accept> accepts,
                                                                unsigned threads) const {
    std::deque<ScratchPool::Lease> leases;
    std::vector<SearchScratch*> scratches;
    for (unsigned thread = 0; thread < threads; ++thread) scratches.push_back(&*leases.emplace_back(scratch_));
    return detail::search_many(snapshot, request, queries, accepts, scratches);
}

}  // namespace kith::inline v0_single::detail

#endif

// kith/collection/engine/refresh.hpp — a reader follows the writer: another process, or another collection in this one.
//
// What a reader shows is a base, which is a checkpoint with what was merged since, and the batches of the log after it,
// staged and published like a writer's own. When there is a newer base, everything is made again on top of it, aside, and
// shown at once in the place of the old; who holds an older snapshot keeps the files and rows it needs.
//
// Thread safety: what is not public runs in the writer role.

#if KITH_ENGINE_HERE

namespace kith::inline v0_single::detail {

KITH_INLINE bool Engine::refresh() {
    const auto open = enter();
    if (!follows()) return false;
    return queue_.exclusive([this] { return catch_up(); });
}

KITH_INLINE bool Engine::catch_up() {
    constexpr int most_bases = 100;
    constexpr int most_looks = 5;  // for batches that no base holds
    const std::shared_ptr<const Snapshot> before = snapshot();
    int looks = 0;
    for (int bases = 0; bases < most_bases; ++bases) {
        std::optional<StoreBase> newer = store_->newer_base();
        if (newer.has_value()) {
            newer_base_ = std::move(newer);
            looks = 0;
        } else if (++looks > most_looks) {
            store_->raise_log_missing();  // a writer that removes batches has committed a base with them
        }
        if (!(newer_base_.has_value() ? begin_anew(*newer_base_) : apply_log())) continue;
        newer_base_.reset();
        if (snapshot() == before) return false;
        measure_memory();
        {
            const std::lock_guard lock(background_->mutex);
            ++background_->arrivals;
        }
        background_->wake.notify_all();
        return true;
    }
    raise(Errc::locked, "the writer makes checkpoints faster than they can be read; try again");
}

/// Shows the batches that came since. False when some are missing that a newer base holds.
KITH_INLINE bool Engine::apply_log() {
    bool whole = false;
    const std::exception_ptr failed = attempt([&] {
        whole = store_->follow([&](std::string_view batch) {
            stage_.save_point();
            const std::exception_ptr refused =
                attempt([&] { applied_.replayed_operations += stage(batch, OnExisting::replace); });
            if (refused != nullptr) {
                stage_.roll_back();
                std::rethrow_exception(refused);
            }
            ++applied_.replayed_batches;
        });
    });
    // Those before the trouble are whole, and will not come again.
    if (base_ == nullptr && (stage_.key_count() > 0 || !stage_.deletes().empty())) publish_staged();
    if (failed != nullptr) std::rethrow_exception(failed);
    return whole;
}

/// Shows `base` and what came after it. False, and nothing is changed, when some of that is missing.
KITH_INLINE bool Engine::begin_anew(const StoreBase& base) {
    Stage fresh(schema_, options_.segment_capacity);
    fresh.reset(base.snapshot->all_segments(), base.next_segment);
    RecoveryReport applied = applied_;
    store_->rewind();
    std::swap(stage_, fresh);
    base_ = base.snapshot;
    bool whole = false;
    const std::exception_ptr failed = attempt([&] {
        whole = apply_log();
        if (whole) publish_staged();
    });
    base_ = nullptr;
    if (!whole || failed != nullptr) {
        std::swap(stage_, fresh);
        applied_ = std::move(applied);
    }
    if (failed != nullptr) std::rethrow_exception(failed);
    return whole;
}

/// Where a sealed segment that `present` shows has `key`. The store knows where the newest version is. That may be one
/// that a reader does not show yet, or lie in a segment that a merge has committed and not published: then the segments
/// that are shown know.
KITH_INLINE std::optional<RecordId> Engine::find_sealed(const Snapshot& present, std::string_view key) const {
    std::optional<RecordId> unseen;
    if (!follows()) {
        unseen = store_->find(key);
        if (!unseen.has_value() || present.find(*unseen) != nullptr) return unseen;
    }
    for (auto view = present.segments.rbegin(); view != present.segments.rend(); ++view) {
        if (!view->segment->sealed()) continue;
        if (const std::optional<Slot> slot = view->segment->find(key, view->allowed())) {
            return RecordId{view->segment->id(), *slot};
        }
    }
    return unseen;
}

/// Trouble here is shown by stats(), and by the next refresh() call.
KITH_INLINE void Engine::follow_in_background() {
    std::unique_lock lock(background_->mutex);
    while (!background_->wake.wait_for(lock, options_.follow, [this] { return background_->stopping; })) {
        lock.unlock();
        note_trouble(attempt([this] { queue_.exclusive([this] { return catch_up(); }); }));
        lock.lock();
    }
}

}  // namespace kith::inline v0_single::detail

#endif

// kith/collection/engine/seal.hpp — what is in memory becomes files, while writers go on.
//
// Thread safety: what is not public runs in the keeper role, and takes the writer role where it says so.

#if KITH_ENGINE_HERE

namespace kith::inline v0_single::detail {

/// Takes a role that another call may hold for long.
/// Throws: as call.check_stopped().
KITH_INLINE std::unique_lock<std::mutex> Engine::take(std::mutex& role, const LongCall& call) {
    constexpr std::chrono::milliseconds between_looks{1};
    std::unique_lock lock(role, std::try_to_lock);
    while (!lock.owns_lock()) {
        call.check_stopped();
        std::this_thread::sleep_for(between_looks);
        static_cast<void>(lock.try_lock());
    }
    return lock;
}

KITH_INLINE void Engine::checkpoint(const LongCall& call) {
    const auto open = enter();
    require_writable();
    link_all(in_memory(), call);
    calibrate(in_memory(), call, true);
    if (store_ == nullptr) return;
    const auto keeper = take(keeper_, call);
    seal(call);
}

/// Makes a checkpoint of all that was published before it began.
KITH_INLINE void Engine::seal(const LongCall& call) {
    publish_written();
    publish_merged();
    Checkpoint checkpoint;
    const std::shared_ptr<const Snapshot> frozen = freeze(checkpoint);
    if (checkpoint.sequence == store_->committed_sequence()) return;
    link_all(in_memory(*frozen), call);
    calibrate(in_memory(*frozen), call, true);
    for (const SegmentView& view : frozen->segments) {
        if (view.segment->sealed()) continue;
        SegmentImage image{view.segment->id(), view.count, {}, view.segment->keys(view.allowed())};
        for (std::size_t field = 0; field < view.segment->index_count(); ++field) {
            image.indexes.push_back(&view.segment->index(field));
        }
        checkpoint.written.push_back(store_->write_segment(image, call));
    }
    committing([&] { store_->commit(checkpoint); });
    written_.emplace(std::move(checkpoint.written));
    publish_written();
}

/// Ends the segment that is being written, and returns all that is published: the checkpoint to be. Takes the writer
/// role.
KITH_INLINE std::shared_ptr<const Snapshot> Engine::freeze(Checkpoint& checkpoint) {
    return queue_.exclusive([&] {
        require_writable();
        const std::exception_ptr failed = attempt([&] { checkpoint.sequence = store_->end_log_file(); });
        if (failed != nullptr) {
            poisoned_.store(true);
            std::rethrow_exception(failed);
        }
        stage_.end_segment();
        writing_bytes_.store(0);
        checkpoint.next_segment = stage_.next_segment();
        checkpoint.keys = &frozen_keys_;
        const std::unique_lock lock(published_mutex_);
        checkpoint.snapshot = snapshot_.get();
        if (frozen_keys_.empty()) {
            frozen_keys_.swap(keys_);
        } else {  // an earlier seal failed
            for (const auto& [key, id] : keys_) frozen_keys_.insert_or_assign(key, id);
            keys_.clear();
        }
        return snapshot_;
    });
}

/// Puts the mapped segments of the last checkpoint in the place of those in memory; when it raises, the next seal or
/// merge begins with it. Takes the writer role.
KITH_INLINE void Engine::publish_written() {
    if (!written_.has_value()) return;
    std::vector<std::filesystem::path> released;
    KeyMap committed;
    queue_.exclusive([&] {
        auto next = std::make_shared<Snapshot>(*snapshot_);
        std::vector<std::shared_ptr<Segment>> segments = stage_.segments();
        for (const std::shared_ptr<Segment>& mapped : *written_) {
            for (SegmentView& view : next->segments) {
                if (view.segment->id() == mapped->id()) view.segment = mapped;
            }
            for (std::shared_ptr<Segment>& segment : segments) {
                if (segment->id() == mapped->id()) segment = mapped;
            }
        }
        released = store_->release_log();
        stage_.replace(std::move(segments));
        {
            const std::unique_lock lock(published_mutex_);
            snapshot_ = std::move(next);
            committed.swap(frozen_keys_);
        }
        measure_memory();
    });
    written_.reset();
    // What is left of the log is passed by when the collection is opened: a failure here costs space, nothing else.
    static_cast<void>(attempt([&] {
        for (const std::filesystem::path& file : released) {
            std::error_code ignored;
            std::filesystem::remove(file, ignored);
        }
        disk_bytes_.store(store_->bytes().without_log());
    }));
}

/// Adds up the bytes of the records in memory. In the writer role.
KITH_INLINE void Engine::measure_memory() noexcept {
    std::uint64_t bytes = 0;
    for (const std::shared_ptr<Segment>& segment : stage_.segments()) bytes += segment->bytes();
    writing_bytes_.store(stage_.writing_bytes());
    memory_bytes_.store(bytes);
}

/// Whether segments in memory wait to be written, or there is enough for another one, or so many sealed records died
/// since the checkpoint that a merge would give back their space, which begins from it. In the keeper role.
KITH_INLINE bool Engine::seal_is_due() const {
    if (poisoned_.load()) return false;
    if (store_->log_bytes() > options_.log_bytes || memory_bytes_.load() > writing_bytes_.load() ||
        writing_bytes_.load() > options_.segment_bytes) {
        return true;
    }
    if (options_.memory_bytes != 0 && memory_bytes_.load() > options_.memory_bytes / 2) return true;
    const std::shared_ptr<const Snapshot> present = snapshot();
    const auto dead = [](const SegmentView& view) { return mostly_dead({view.live(), view.count - view.live()}); };
    for (const SegmentView& before : store_->committed().segments) {
        for (const SegmentView& now : present->segments) {
            if (now.segment->id() == before.segment->id() && dead(now) && !dead(before)) return true;
        }
    }
    return false;
}

KITH_INLINE CollectionStats Engine::stats() const {
    const auto open = enter();
    const std::shared_ptr<const Snapshot> present = snapshot();
    CollectionStats stats;
    std::uint64_t slots = 0;
    std::uint64_t dead = 0;
    for (const SegmentView& view : present->segments) {
        const Slot live = view.live();
        const Slot linked = view.segment->outdated() ? 0 : std::min(view.segment->linked(), view.count);
        stats.segments.push_back({view.segment->id(), live, view.count - live, linked, view.segment->sealed()});
        stats.records += live;
        stats.deleted += view.count - live;
        if (!view.segment->sealed()) continue;
        slots += view.count;
        dead += view.count - live;
    }
    stats.memory_bytes = memory_bytes_.load();
    if (store_ != nullptr) {
        const StoreBytes bytes = store_->bytes();
        stats.last_sequence = store_->last_sequence();
        stats.log_bytes = bytes.log;
        stats.forward_bytes = bytes.forward;
        stats.segment_bytes = bytes.segments;
        stats.retired_bytes = bytes.retired;
        if (slots > 0) {
            stats.reclaimable_bytes = static_cast<std::uint64_t>(
                static_cast<double>(bytes.segments) * static_cast<double>(dead) / static_cast<double>(slots));
        }
    }
    const std::lock_guard lock(background_->mutex);
    stats.trouble = background_->trouble;
    return stats;
}

}  // namespace kith::inline v0_single::detail

#endif

// kith/collection/engine/write.hpp — the path of a batch: checked, staged, logged, synced, published.
//
// Thread safety: everything here but Engine::write runs in the writer role.

#if KITH_ENGINE_HERE

namespace kith::inline v0_single::detail {

KITH_INLINE void Engine::require_writable() const {
    if (options_.mode == OpenMode::read_only) raise(Errc::read_only, name_ + ": was opened read-only");
    if (poisoned_.load() || (store_ != nullptr && store_->poisoned())) {
        raise(Errc::poisoned,
              name_ +
                  ": an earlier write or sync failed, so it is unknown what the disk holds; open the collection again "
                  "to recover every acknowledged record");
    }
}

KITH_INLINE void Engine::write(const std::function<std::string()>& prepare, OnExisting on_existing) {
    const auto open = enter();
    require_writable();
    wait_for_memory();
    Request request{&prepare, on_existing, nullptr};
    queue_.commit(request, [this](const std::vector<Request*>& requests) { serve(requests); });
    {
        const std::lock_guard lock(background_->mutex);
        ++background_->arrivals;
    }
    background_->wake.notify_all();
}

KITH_INLINE void Engine::serve(const std::vector<Request*>& requests) {
    require_writable();
    NextSnapshot next(*snapshot_);
    for (Request* request : requests) {
        stage_.save_point();
        request->error = attempt([&] { serve_one(*request, next); });
        if (request->error != nullptr) stage_.roll_back();
    }
    if (options_.durability.level() == Durability::Level::each_commit) sync_log();
    publish(next);
    measure_memory();
}

/// Waits while records in memory take up more than they may.
/// Throws: Errc::limit_exceeded when they cannot be sealed; nothing was written.
KITH_INLINE void Engine::wait_for_memory() const {
    if (store_ == nullptr || options_.memory_bytes == 0) return;
    const auto fits = [this] { return memory_bytes_.load() <= options_.memory_bytes; };
    if (fits()) return;
    std::unique_lock lock(background_->mutex);
    ++background_->arrivals;
    background_->wake.notify_all();
    background_->sealed.wait(lock, [&] {
        return fits() || background_->stopping || closing_.load() || !background_->trouble.empty() ||
               !background_->keeper.joinable();
    });
    if (fits() || background_->stopping || closing_.load()) return;
    raise(Errc::limit_exceeded, "records in memory take up " + std::to_string(memory_bytes_.load()) +
                                    " bytes, Options::memory_bytes allows " + std::to_string(options_.memory_bytes) +
                                    ", and they cannot be sealed: " +
                                    (background_->trouble.empty() ? "call checkpoint()" : background_->trouble) +
                                    "; nothing was written");
}

/// Throws: Errc::disk_full when `batch` holds records and would make the files larger than they may be.
KITH_INLINE void Engine::require_space(std::string_view batch) const {
    if (store_ == nullptr || options_.max_disk_bytes == 0) return;
    const std::uint64_t used = disk_bytes_.load() + store_->log_bytes();
    if (used + batch.size() <= options_.max_disk_bytes) return;
    bool puts = false;
    static_cast<void>(read_batch(batch, schema_.vector_bytes(), [&](const Operation& operation) {
        puts = puts || operation.kind == OperationKind::put;
    }));
    if (!puts) return;
    raise(Errc::disk_full, "the collection takes up " + std::to_string(used) +
                               " bytes, Options::max_disk_bytes allows " + std::to_string(options_.max_disk_bytes) +
                               "; nothing was written. Erase records and compact(), or allow more");
}

KITH_INLINE void Engine::serve_one(const Request& request, NextSnapshot& next) {
    const std::string batch = (*request.prepare)();
    if (batch.empty()) return;
    require_space(batch);
    stage(batch, request.on_existing);
    make_room(next, stage_.new_deletes());
    if (store_ != nullptr) store_->append(batch);
}

KITH_INLINE std::size_t Engine::stage(std::string_view batch, OnExisting on_existing) {
    std::unordered_set<std::string_view> seen;
    std::size_t position = 0;
    const bool whole = read_batch(batch, schema_.vector_bytes(), [&](const Operation& operation) {
        if (!seen.insert(operation.key).second) {
            raise(Errc::invalid_argument, "record " + std::to_string(position) + " of the batch repeats the key " +
                                              shown(operation.key) + "; nothing was written");
        }
        const std::optional<RecordId> older = newest(operation.key);
        if (operation.kind == OperationKind::erase) {
            if (older.has_value()) stage_.erase(operation.key, *older);
        } else {
            if (older.has_value() && on_existing == OnExisting::refuse) {
                raise(Errc::already_exists, "record " + std::to_string(position) + ": the key " + shown(operation.key) +
                                                " is present; nothing was written");
            }
            stage_.put(operation, older);
        }
        ++position;
    });
    if (!whole) raise(Errc::corrupt, "a batch of the log has a right checksum but cannot be read");
    return position;
}

/// Commits; when that leaves unknown what the disk holds, nothing is written any more, whatever the store says later.
template <class Act>
void Engine::committing(const Act& act) {
    const std::exception_ptr failed = attempt(act);
    if (failed == nullptr) return;
    if (store_->poisoned()) poisoned_.store(true);
    std::rethrow_exception(failed);
}

KITH_INLINE void Engine::sync_log() {
    if (store_ == nullptr) return;
    const std::exception_ptr failed = attempt([&] { store_->sync(); });
    if (failed == nullptr) return;
    poisoned_.store(true);
    std::rethrow_exception(failed);
}

/// Has all the memory that publish() takes for what is staged, where `deletes` were not there at the call before.
KITH_INLINE void Engine::make_room(NextSnapshot& next, std::span<const RecordId> deletes) {
    next.make_room(stage_.segments(), deletes);
    if (base_ != nullptr) return;
    const std::size_t keys = keys_.size() + stage_.key_count();
    if (static_cast<double>(keys) <
        static_cast<double>(keys_.max_load_factor()) * static_cast<double>(keys_.bucket_count())) {
        return;
    }
    const std::unique_lock lock(published_mutex_);
    keys_.reserve(std::max(keys, 2 * keys_.size()));  // asked for no more, some libraries give no more
}

/// Makes everything staged visible at once.
/// Requires: there is room for all of it.
KITH_INLINE void Engine::publish(NextSnapshot& next) noexcept {
    std::shared_ptr<const Snapshot> shown = next.finish(stage_.segments(), stage_.deletes());
    if (shown == nullptr) return;
    KeyMap changed = stage_.take_keys();
    {
        const std::unique_lock lock(published_mutex_);
        if (base_ != nullptr) changed.swap(keys_);  // what was there is overtaken
        while (base_ == nullptr && !changed.empty()) {
            auto node = changed.extract(changed.begin());
            if (!node.mapped().has_value() && store_ == nullptr) {
                keys_.erase(node.key());
                continue;
            }
            const auto placed = keys_.insert(std::move(node));
            if (!placed.inserted) placed.position->second = placed.node.mapped();
        }
        snapshot_.swap(shown);
    }
    stage_.published();
}

KITH_INLINE void Engine::publish_staged() {
    NextSnapshot next(base_ != nullptr ? *base_ : *snapshot_);
    make_room(next, stage_.deletes());
    publish(next);
}

KITH_INLINE std::optional<RecordId> Engine::newest(std::string_view key) const {
    if (const std::optional<RecordId>* staged = stage_.find(key)) return *staged;
    if (base_ != nullptr) return find_sealed(*base_, key);
    for (const KeyMap* keys : {&keys_, &frozen_keys_}) {  // only the writer role changes them, and this is it
        const auto published = keys->find(key);
        if (published == keys->end()) continue;
        return published->second.has_value() ? std::optional(relocation_(*published->second)) : std::nullopt;
    }
    if (store_ == nullptr) return std::nullopt;
    const std::optional<RecordId> sealed = find_sealed(*snapshot_, key);
    if (sealed.has_value() && snapshot_->find(*sealed) == nullptr) {
        raise(Errc::corrupt, "the key " + shown(key) + " leads to a record that is not there");
    }
    return sealed;
}

KITH_INLINE std::string Engine::newest_row(RecordId id) const {
    for (const auto& segment : stage_.segments()) {
        if (segment->id() == id.segment && !segment->sealed()) return std::string(segment->row(id.slot));
    }
    return store_->row(id);
}

KITH_INLINE void Engine::newest_vector(RecordId id, std::size_t vector_field, float* out) const {
    for (const auto& segment : stage_.segments()) {
        if (segment->id() == id.segment) segment->vector(vector_field, id.slot, out);
    }
}

}  // namespace kith::inline v0_single::detail

#endif

// kith/collection/estimate.hpp — how much memory and disk a collection will take, said before the work.
//
// Vectors, codes and graphs are told by their indexes to a few in a hundred; rows and keys by how LMDB and the tables in
// memory keep them, which depends on their lengths and is told for a typical record.
//
// Thread safety: plain functions.

namespace kith::inline v0_single {

/// What a collection takes, besides the log, which Options::log_bytes bounds.
struct Estimate {
    std::uint64_t memory_bytes = 0;  ///< while records are written: the segment that fills, and the one being sealed
    std::uint64_t disk_bytes = 0;    ///< once all is sealed, and nothing of it deleted
    std::uint64_t merge_memory_bytes = 0;  ///< more, while the largest merge runs
    std::uint64_t merge_disk_bytes = 0;    ///< more, until the segments that it replaces are gone
};

/// The lengths of a typical record.
struct RecordBytes {
    std::size_t row = 0;  ///< of the record without its vectors, as it is stored
    std::size_t key = 0;
};

namespace detail {

/// What the environment takes for a record. Rows come in order of their ids and fill their pages; keys come in any
/// order, so theirs are half empty.
[[nodiscard]] inline std::uint64_t environment_bytes(RecordBytes record) noexcept {
    constexpr std::size_t page = 4096, page_header = 16, node = 10, id = 8, checksum = 4;
    const std::size_t row = node + id + checksum + record.row, key = node + id + checksum + record.key;
    const std::size_t in_a_page = (page - page_header) / row;
    const std::size_t row_share =
        in_a_page >= 2 ? page / in_a_page : (page_header + row + page - 1) / page * page + row;
    return row_share + 2 * key;
}

/// What a record that is not sealed takes in memory, besides its vectors: its row and an entry of the map of keys.
[[nodiscard]] inline std::uint64_t unsealed_bytes(RecordBytes record) noexcept {
    constexpr std::size_t table = 16, entry = 64 + 8, allocation = 16, within_string = 15;
    return table + record.row + entry + allocation + (record.key > within_string ? record.key + allocation : 0);
}

/// The indexes of `count` records in one segment.
[[nodiscard]] inline IndexSpace segment_space(const EngineSchema& schema, Slot count) {
    IndexSpace all;
    for (const VectorFieldType& field : schema.vectors) all += field.space(field.dim, count);
    return all;
}

/// Throws: Errc::invalid_argument for a dimension that an index cannot be for.
[[nodiscard]] inline Estimate estimate(const EngineSchema& schema, RecordBytes record, std::uint64_t records,
                                       const Options& options) {
    constexpr std::uint64_t empty_environment = 6 * 4096, key_entry = 8;
    const std::uint64_t capacity = std::max<std::uint64_t>(options.segment_capacity, 1);
    const auto largest = static_cast<Slot>(std::min(records, capacity));
    const std::uint64_t full = records / capacity;
    const IndexSpace one = segment_space(schema, largest);
    const IndexSpace rest = segment_space(schema, static_cast<Slot>(records % capacity));
    const std::uint64_t stored = environment_bytes(record) + record.key + key_entry;

    Estimate all;
    const std::uint64_t written_at_once = std::min<std::uint64_t>(records, 2 * std::uint64_t{largest});
    all.memory_bytes = one.memory_bytes * (full >= 2 ? 2 : 1) + written_at_once * unsealed_bytes(record);
    if (full == 1 && records > capacity) all.memory_bytes += rest.memory_bytes;
    all.disk_bytes = empty_environment + full * one.disk_bytes + rest.disk_bytes + records * stored;
    all.merge_memory_bytes = one.memory_bytes;
    all.merge_disk_bytes = one.disk_bytes + largest * stored;
    return all;
}

}  // namespace detail
}  // namespace kith::inline v0_single

// kith/collection/hit.hpp — one answer of a search.

namespace kith::inline v0_single {

template <class Record>
struct Hit {
    Record record;
    float score = 0;     ///< in the metric's own convention: L2 the squared distance, the others a similarity
    float distance = 0;  ///< smaller is nearer, whatever the metric; hits are in this order
};

}  // namespace kith::inline v0_single

// kith/collection/reading.hpp — what can be read, from a collection and from a snapshot of it alike.

// kith/collection/moment.hpp — the records a read looks at: those of now, or those of a snapshot that is held.
//
// Thread safety: as the engine; a Moment itself is immutable.

namespace kith::inline v0_single::detail {

class Moment {
public:
    /// Now, whenever it is asked.
    Moment(const Engine& engine) noexcept : engine_(&engine) {}

    /// The moment of `held`, for as long as it is held.
    Moment(const Engine& engine, std::shared_ptr<const Snapshot> held) noexcept
        : engine_(&engine), held_(std::move(held)) {}

    [[nodiscard]] const Engine& engine() const noexcept { return *engine_; }

    /// Requires, for both: an engine().enter() is held.
    [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const {
        return held_ == nullptr ? engine_->snapshot() : held_;
    }
    [[nodiscard]] std::optional<Engine::Located> locate(std::string_view key) const {
        return held_ == nullptr ? engine_->locate(key) : engine_->locate_in(held_, key);
    }

private:
    const Engine* engine_;  // the collection's, which outlives this
    std::shared_ptr<const Snapshot> held_;
};

}  // namespace kith::inline v0_single::detail

// kith/collection/nearest_many_query.hpp — "which records are nearest", asked of many vectors at one moment.
//
// Each answer is the one NearestQuery gives. Together they cost less: they share threads, and where every record is
// compared, the records are read once for many queries.
//
// Thread safety: none for a query; each thread asks its own. A query refers to its collection, which must outlive it.

// kith/collection/nearest_query.hpp — the question "which records are nearest", built one setting at a time.
//
// Thread safety: none for a query; each thread asks its own. A query refers to its collection, which must outlive it.

// kith/collection/explanation.hpp — what a query does in each segment, and why, in numbers and in words.

namespace kith::inline v0_single {

/// One segment of an Explanation.
struct SegmentExplanation {
    std::uint32_t segment = 0;
    bool sealed = false;        ///< on disk, mapped; else still written to
    std::uint64_t records = 0;  ///< those that may be returned
    SearchPlan plan;
};

/// What NearestQuery::explain() returns.
struct Explanation {
    std::string field;
    double recall = 0;   ///< asked for; 0 where the query names an ef_search instead
    bool exact = false;  ///< every record is compared, as was asked
    bool condition =
        false;  ///< a condition is checked on candidates, nearest first, or on every record where few match
    std::vector<SegmentExplanation> segments;

    /// A line for the query and one for each segment.
    [[nodiscard]] std::string text() const;
};

namespace detail {

inline std::string rounded(double value) {
    std::string digits = std::to_string(value);
    digits.resize(digits.find_last_not_of('0') + 1);
    if (!digits.empty() && digits.back() == '.') digits.pop_back();
    return digits;
}

/// What a plan tells the index to do.
inline std::string effort_text(const SearchPlan& plan) {
    const SearchParams& params = plan.params;
    if (params.nprobe > 0) return "reads the nearest " + std::to_string(params.nprobe) + " lists";
    if (params.stretch > 0) {
        return "walks on up to " + rounded(static_cast<double>(params.stretch)) + " times the distance of neighbour " +
               std::to_string(params.limit);
    }
    if (params.rescore > 0) {
        return "compares all codes, and the best by their vectors, up to " +
               rounded(static_cast<double>(params.rescore)) + " times as many as are wanted";
    }
    return "walks with " + std::to_string(params.ef_search) + " candidates";
}

inline std::string way_text(const SegmentExplanation& segment) {
    const SearchPlan& plan = segment.plan;
    const std::string all = "compares all " + std::to_string(segment.records) + " records";
    switch (plan.way) {
        case SearchWay::compare_all:
            return all;
        case SearchWay::scan_cheaper:
            return all + ": so few cost less than a walk";
        case SearchWay::not_indexed:
            return all + ": none is in the index yet";
        case SearchWay::indexed:
            break;
    }
    std::string text = effort_text(plan);
    if (plan.calibrated > 0) text += ", as measured over " + std::to_string(plan.calibrated) + " records";
    if (plan.calibrated == 0 && (plan.params.stretch > 0 || plan.params.rescore > 0 || plan.params.nprobe > 0))
        text += ", a cautious guess until it is measured";
    return text + "; " + std::to_string(plan.indexed) + " are in the index";
}

}  // namespace detail

inline std::string Explanation::text() const {
    std::string lines = "nearest by '" + field + "'";
    if (exact) {
        lines += ", exact";
    } else if (recall > 0) {
        lines += ", recall " + detail::rounded(recall);
    }
    if (condition) lines += ", with a condition";
    for (const SegmentExplanation& segment : segments) {
        lines += "\n  segment " + std::to_string(segment.segment) + (segment.sealed ? " (sealed, " : " (writing, ") +
                 std::string(segment.plan.index) + "): " + detail::way_text(segment);
    }
    return lines;
}

}  // namespace kith::inline v0_single

// kith/collection/record_codec.hpp — typed records to the engine's bytes and back.

namespace kith::inline v0_single::detail {

[[noreturn]] inline void raise_bad_row(RecordId id) {
    raise(Errc::corrupt, "the row of segment " + std::to_string(id.segment) + ", slot " + std::to_string(id.slot) +
                             " cannot be read under this schema");
}

/// `elements` as floats, in place or in `buffer`.
template <Element T>
std::span<const float> floats_of(std::span<const T> elements, std::vector<float>& buffer) {
    if constexpr (std::same_as<T, float>) {
        return elements;
    } else {
        buffer.resize(elements.size() * dimensions_an_element<T>);
        decode_elements(elements.data(), buffer.size(), buffer.data());
        return buffer;
    }
}

/// Fills `elements` from the floats that read(out) writes.
template <Element T, class Read>
void fill_elements(std::span<T> elements, const Read& read) {
    if constexpr (std::same_as<T, float>) {
        read(elements.data());
    } else {
        std::vector<float> floats(elements.size() * dimensions_an_element<T>);
        read(floats.data());
        encode_elements(floats.data(), floats.size(), elements.data());
    }
}

/// Adds a put of `record` to `batch`.
template <class S>
void put_record(const typename S::Record& record, BatchWriter& batch) {
    std::string row;
    S::encode_row(record, row);
    batch.put(S::key_bytes(S::key_of(record)), row);
    S::for_each_vector(record, [&]<class T>(std::size_t, std::span<const T> elements) { batch.vector(elements); });
}

/// Fills the fields of `record` that live in its row: all but the vector fields.
template <class S>
void decode_row(const Engine& engine, const SegmentView& view, Slot slot, typename S::Record& record) {
    if (!S::decode_row(engine.row(view, slot), record)) raise_bad_row({view.segment->id(), slot});
}

/// A whole record, its vectors bit for bit as they were written.
template <class S>
typename S::Record decode_record(const Engine& engine, const SegmentView& view, Slot slot) {
    typename S::Record record{};
    decode_row<S>(engine, view, slot, record);
    S::for_each_vector(record, [&](std::size_t field, auto elements) {
        fill_elements(elements, [&](float* out) { view.segment->vector(field, slot, out); });
    });
    return record;
}

}  // namespace kith::inline v0_single::detail

// kith/query/condition.hpp — which records of a type are wanted, and how two wishes become one.
//
// A Condition is a tree that belongs to one record type, so that it cannot be asked of another.
//
// Thread safety: a condition that nobody changes may be read by many.

// kith/query/expression.hpp — a condition as a tree: what is asked, of which field, with which values.
//
// However a condition was written, in C++ or one day as text, it becomes this tree; whoever answers it, by reading
// records or an index, starts from here. A tree knows fields by their place in the record and no record type.
//
// Rules:  values have the field's own type and are in its range. A null field satisfies no comparison, and neither does
//         it satisfy the negation of one: the answer is unknown, as in SQL. Only is_null is never unknown.
//
// Thread safety: a tree that nobody changes may be read by many.

namespace kith::inline v0_single {

/// What a node of a condition asks.
enum class Op : std::uint8_t {
    equal,          ///< the field is values[0]
    not_equal,      ///< the field is not values[0]
    less,           ///< the field is less than values[0]
    less_equal,     ///< the field is values[0] or less
    greater,        ///< the field is greater than values[0]
    greater_equal,  ///< the field is values[0] or greater
    in,             ///< the field is one of the values
    contains_any,   ///< the list holds at least one of the values; never true of no values
    contains_all,   ///< the list holds every one of the values; always true of no values
    is_null,        ///< the field has no value
    all_of,         ///< every child holds; true without children
    any_of,         ///< at least one child holds; false without children
    negation,       ///< the only child does not hold
};

/// A value to compare with: signed integers and enumerations as std::int64_t, unsigned ones as std::uint64_t, float
/// and double as double.
using Value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string>;

/// One node. Leaves have a field and values; all_of, any_of and negation have children.
struct Expression {
    Op op = Op::all_of;
    std::size_t field = 0;           // the place in the record
    std::vector<Value> values = {};  // in, contains_any, contains_all: ascending and distinct
    std::vector<Expression> children = {};

    friend bool operator==(const Expression&, const Expression&) = default;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// Which records of a type are wanted. One made from nothing holds for every record.
template <class R>
class Condition {
public:
    using Record = R;

    Condition() = default;

    /// Requires: the fields and values of `expression` are those of the record.
    explicit Condition(Expression expression) : expression_(std::move(expression)) {}

    [[nodiscard]] const Expression& expression() const noexcept { return expression_; }

    friend bool operator==(const Condition&, const Condition&) = default;

private:
    Expression expression_;
};

namespace detail {

/// Joins two trees under `op`; a left side that is already such a node grows instead of nesting.
inline Expression join(Op op, Expression left, Expression right) {
    if (left.op != op) {
        Expression parent{.op = op};
        parent.children.push_back(std::move(left));
        left = std::move(parent);
    }
    left.children.push_back(std::move(right));
    return left;
}

}  // namespace detail

template <class Left, class Right>
[[nodiscard]] Condition<Left> operator&&(Condition<Left> left, Condition<Right> right) {
    static_assert(std::is_same_v<Left, Right>, "kith: both sides of && must be about the same record type");
    return Condition<Left>(detail::join(Op::all_of, left.expression(), right.expression()));
}

template <class Left, class Right>
[[nodiscard]] Condition<Left> operator||(Condition<Left> left, Condition<Right> right) {
    static_assert(std::is_same_v<Left, Right>, "kith: both sides of || must be about the same record type");
    return Condition<Left>(detail::join(Op::any_of, left.expression(), right.expression()));
}

template <class R>
[[nodiscard]] Condition<R> operator!(const Condition<R>& condition) {
    Expression parent{.op = Op::negation};
    parent.children.push_back(condition.expression());
    return Condition<R>(std::move(parent));
}

}  // namespace kith::inline v0_single

// kith/query/evaluate.hpp — whether a record satisfies a condition.
//
// The tree is walked as it stands. A leaf reaches its member through a table with one function a field, made while
// compiling, and the work behind those functions is shared by all members of one type.
//
// Three answers, as in SQL: a comparison with null is unknown, the negation of unknown is unknown, and only what is
// certainly true is found. NaN, which a float field may hold, compares as in C++: it differs from everything.
//
// Thread safety: functions without state.

// kith/schema/field.hpp — what a member may be, and what kith knows of it once its type is left behind.
//
// A FieldInfo is all that files, conditions and messages need of a field, so a schema known only at run time can be
// described with the same words.
//
// Thread safety: values and functions without state.

namespace kith::inline v0_single {

/// How a value is stored. On disk: never renumber.
enum class FieldKind : std::uint8_t {
    boolean = 1,
    int32 = 2,
    int64 = 3,
    uint32 = 4,
    uint64 = 5,
    float32 = 6,
    float64 = 7,
    text = 8,
    vector = 9,
};

/// The word for a kind in descriptors and messages, as a C++ programmer would say it. On disk: never rename.
constexpr std::string_view name(FieldKind kind) noexcept {
    switch (kind) {
        case FieldKind::boolean:
            return "bool";
        case FieldKind::int32:
            return "int32";
        case FieldKind::int64:
            return "int64";
        case FieldKind::uint32:
            return "uint32";
        case FieldKind::uint64:
            return "uint64";
        case FieldKind::float32:
            return "float";
        case FieldKind::float64:
            return "double";
        case FieldKind::text:
            return "text";
        case FieldKind::vector:
            return "vector";
    }
    return "unknown";
}

/// One field of a schema.
struct FieldInfo {
    std::string_view name;
    FieldKind kind = FieldKind::boolean;  // of the element, for a list
    bool nullable = false;
    bool list = false;
    bool key = false;
    bool indexed = false;
    std::uint32_t dim = 0;     // dimensions of a vector; 0 for every other kind
    std::string_view metric;   // empty unless a VectorField names the member
    std::string_view index;    // empty unless a VectorField names the member
    std::string_view element;  // the element_name of a vector that is not of floats; empty for everything else
};

/// The most dimensions a vector field may have.
inline constexpr std::size_t max_dim = 20'000;

namespace detail {

/// The signed and unsigned integers of 32 and 64 bits under all their names; no character type is among them.
template <class T>
concept StoredInteger =
    std::same_as<T, int> || std::same_as<T, long> || std::same_as<T, long long> || std::same_as<T, unsigned> ||
    std::same_as<T, unsigned long> || std::same_as<T, unsigned long long>;

/// An enumeration whose underlying type was written down, so that every stored number is one of its values.
template <class T>
concept StoredEnum = std::is_enum_v<T> && requires { T{0}; };

template <class T>
concept StoredScalar = std::same_as<T, bool> || StoredInteger<T> || StoredEnum<T> || std::same_as<T, float> ||
                       std::same_as<T, double> || std::same_as<T, std::string>;

template <class T>
inline constexpr std::size_t array_dim = 0;

template <Element T, std::size_t Count>
inline constexpr std::size_t array_dim<std::array<T, Count>> = Count * dimensions_an_element<T>;

template <class T>
inline constexpr bool is_element_array = false;
template <Element T, std::size_t Count>
inline constexpr bool is_element_array<std::array<T, Count>> = true;

/// A fixed number of elements.
template <class T>
concept StoredVector = (array_dim<T> >= 1 && array_dim<T> <= max_dim);

/// What the vector T is made of.
template <StoredVector T>
using VectorElement = typename T::value_type;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;

template <class T>
struct WithoutOptional {
    using Type = T;
};
template <class T>
struct WithoutOptional<std::optional<T>> {
    using Type = T;
};

template <class T>
struct WithoutList {
    using Type = T;
};
template <class T>
struct WithoutList<std::vector<T>> {
    using Type = T;
};

/// The value inside std::optional, or T itself.
template <class T>
using Present = typename WithoutOptional<T>::Type;

/// The scalar inside std::optional and std::vector, or T itself.
template <class T>
using ScalarOf = typename WithoutList<Present<T>>::Type;

/// Every type a member of a record may have.
template <class T>
concept Storable = StoredVector<T> || StoredScalar<ScalarOf<T>>;

template <class T>
struct Underlying {
    using Type = T;
};
template <StoredEnum T>
struct Underlying<T> {
    using Type = std::underlying_type_t<T>;
};

/// The kind of a scalar; an enumeration is stored as the integer of 32 or 64 bits that holds its underlying type.
template <StoredScalar T>
consteval FieldKind scalar_kind() {
    using Number = typename Underlying<T>::Type;
    if constexpr (std::same_as<T, bool>) {
        return FieldKind::boolean;
    } else if constexpr (std::same_as<T, std::string>) {
        return FieldKind::text;
    } else if constexpr (std::floating_point<T>) {
        return sizeof(T) == 4 ? FieldKind::float32 : FieldKind::float64;
    } else if constexpr (std::is_signed_v<Number>) {
        return sizeof(Number) <= 4 ? FieldKind::int32 : FieldKind::int64;
    } else {
        return sizeof(Number) <= 4 ? FieldKind::uint32 : FieldKind::uint64;
    }
}

/// What a member's type alone says about its field.
template <Storable T>
consteval FieldInfo describe_member(std::string_view name) {
    FieldInfo info;
    info.name = name;
    if constexpr (StoredVector<T>) {
        info.kind = FieldKind::vector;
        info.dim = static_cast<std::uint32_t>(array_dim<T>);
        if (!std::same_as<VectorElement<T>, float>) info.element = element_name<VectorElement<T>>;
    } else {
        info.kind = scalar_kind<ScalarOf<T>>();
        info.nullable = is_optional<T>;
        info.list = is_list<Present<T>>;
    }
    return info;
}

}  // namespace detail

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

namespace detail {

/// In this order "and" is the least of two answers and "or" the greatest.
enum class Truth : std::uint8_t { no = 0, unknown = 1, yes = 2 };

constexpr Truth truth(bool known) noexcept {
    return known ? Truth::yes : Truth::no;
}

/// The alternative of Value in which scalars of type T are compared.
template <StoredScalar T>
using ComparedAs =
    std::conditional_t<std::same_as<T, std::string> || std::same_as<T, bool>, T,
                       std::conditional_t<std::floating_point<T>, double,
                                          std::conditional_t<std::is_signed_v<typename Underlying<T>::Type>,
                                                             std::int64_t, std::uint64_t>>>;

/// What is compared: a text in place, everything else widened.
template <StoredScalar T>
decltype(auto) compared(const T& scalar) noexcept {
    if constexpr (std::same_as<T, std::string>) {
        return (scalar);
    } else {
        return static_cast<ComparedAs<T>>(scalar);
    }
}

template <class V>
const V& value_at(const Expression& leaf, std::size_t at) noexcept {
    KITH_ASSERT(at < leaf.values.size() && std::holds_alternative<V>(leaf.values[at]));
    return *std::get_if<V>(&leaf.values[at]);
}

/// Requires: the values of the leaf are ascending.
template <class V>
bool is_among(const V& scalar, const Expression& leaf) noexcept {
    std::size_t first = 0;
    std::size_t last = leaf.values.size();
    while (first < last) {
        const std::size_t middle = first + (last - first) / 2;
        if (value_at<V>(leaf, middle) < scalar) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first < leaf.values.size() && value_at<V>(leaf, first) == scalar;
}

template <StoredScalar T>
bool scalar_satisfies(const T& scalar, const Expression& leaf) noexcept {
    using V = ComparedAs<T>;
    const auto& left = compared(scalar);
    switch (leaf.op) {
        case Op::equal:
            return left == value_at<V>(leaf, 0);
        case Op::not_equal:
            return left != value_at<V>(leaf, 0);
        case Op::less:
            return left < value_at<V>(leaf, 0);
        case Op::less_equal:
            return left <= value_at<V>(leaf, 0);
        case Op::greater:
            return left > value_at<V>(leaf, 0);
        case Op::greater_equal:
            return left >= value_at<V>(leaf, 0);
        case Op::in:
            return is_among<V>(left, leaf);
        case Op::contains_any:
        case Op::contains_all:
        case Op::is_null:
        case Op::all_of:
        case Op::any_of:
        case Op::negation:
            break;
    }
    KITH_ASSERT(false);  // a condition on a list, or on no field at all, reached a scalar
    return false;
}

template <StoredScalar T>
bool list_satisfies(const std::vector<T>& list, const Expression& leaf) noexcept {
    using V = ComparedAs<T>;
    if (leaf.op == Op::contains_any) {
        for (const auto& element : list) {
            if (is_among<V>(compared<T>(element), leaf)) return true;
        }
        return false;
    }
    KITH_ASSERT(leaf.op == Op::contains_all);
    for (std::size_t at = 0; at < leaf.values.size(); ++at) {
        const V& wanted = value_at<V>(leaf, at);
        bool found = false;
        for (const auto& element : list) found = found || compared<T>(element) == wanted;
        if (!found) return false;
    }
    return true;
}

template <class T>
Truth member_satisfies(const T& member, const Expression& leaf) noexcept {
    if constexpr (is_optional<T>) {
        if (leaf.op == Op::is_null) return truth(!member.has_value());
        return member.has_value() ? member_satisfies(*member, leaf) : Truth::unknown;
    } else if constexpr (is_list<T>) {
        return truth(list_satisfies(member, leaf));
    } else if constexpr (StoredScalar<T>) {
        return truth(scalar_satisfies(member, leaf));
    } else {
        KITH_ASSERT(false);  // a condition names a vector, which no comparison takes
        return Truth::unknown;
    }
}

/// Answers a leaf for the member at position I.
template <class R, std::size_t I>
Truth leaf_satisfies(const R& record, const Expression& leaf) noexcept {
    return member_satisfies(std::get<I>(members(record)), leaf);
}

template <class R, std::size_t... I>
constexpr auto leaf_table(std::index_sequence<I...>) noexcept {
    return std::array<Truth (*)(const R&, const Expression&) noexcept, sizeof...(I)>{&leaf_satisfies<R, I>...};
}

template <class R>
inline constexpr auto leaves = leaf_table<R>(std::make_index_sequence<member_count<R>>());

template <class R>
Truth satisfies(const R& record, const Expression& node) noexcept {
    Truth answer = Truth::yes;
    switch (node.op) {
        case Op::all_of:
            for (std::size_t at = 0; at < node.children.size() && answer != Truth::no; ++at) {
                answer = std::min(answer, satisfies(record, node.children[at]));
            }
            return answer;
        case Op::any_of:
            answer = Truth::no;
            for (std::size_t at = 0; at < node.children.size() && answer != Truth::yes; ++at) {
                answer = std::max(answer, satisfies(record, node.children[at]));
            }
            return answer;
        case Op::negation: {
            KITH_ASSERT(node.children.size() == 1);
            const Truth inner = satisfies(record, node.children.front());
            return inner == Truth::unknown ? inner : truth(inner == Truth::no);
        }
        case Op::equal:
        case Op::not_equal:
        case Op::less:
        case Op::less_equal:
        case Op::greater:
        case Op::greater_equal:
        case Op::in:
        case Op::contains_any:
        case Op::contains_all:
        case Op::is_null:
            break;
    }
    KITH_ASSERT(node.field < leaves<R>.size());
    return leaves<R>[node.field](record, node);
}

}  // namespace detail

/// True when `record` certainly satisfies `condition`.
/// Cost: one visit a node until the answer is certain; no allocation.
template <class R>
[[nodiscard]] bool evaluate(const Condition<R>& condition, const R& record) noexcept {
    return detail::satisfies(record, condition.expression()) == detail::Truth::yes;
}

}  // namespace kith::inline v0_single

// kith/query/field_ref.hpp — conditions written in C++, such as `kith::field<&Article::year> >= 2020`.
//
// A field is named by its member pointer, so its name and its type are checked where the condition is written, and what
// cannot be meant says what to write instead.
//
//   ==  !=  <  <=  >  >=        a field that is no list, with a value of its type; bool takes == and != only
//   in(field, {a, b})           the same, one of several
//   contains(field, a)          a list that holds a; contains_any and contains_all take several
//   field.is_null()             an optional field without a value
//   &&  ||  !                   conditions
//
// Thread safety: functions without state.

// kith/query/literal.hpp — from what a user wrote beside an operator to a value of the field's own type.
//
// The type is checked while compiling, the range when the condition is made: a number that the field cannot hold would
// silently match nothing, or everything, and is a mistake wherever it comes from.
//
// Thread safety: functions without state.

// kith/schema/validate.hpp — the values kith takes, and the sentence that says why it does not.
//
// A NaN in one vector would make every comparison with it meaningless, and a graph built on such comparisons loses
// other records too. So each value is looked at once, before anything is written.
//
// Rules:  a text key has 1 to 511 bytes; every text is well-formed UTF-8 and may contain zero bytes; the elements of a
//         vector are finite and its length is at most 1e18, so that squared distances stay finite; under Cosine its
//         length is also at least 1e-18, for a vector without length has no direction. Scalar numbers may be anything.
//
// Thread safety: functions without state.

// kith/schema/key.hpp — a user's key as the bytes that order and identify it.
//
//   key := text: its bytes | integer: 4 or 8 bytes, highest first, a signed one with its sign bit flipped  (on disk)
//
// Compared byte by byte, integer keys then stand in the order of their numbers, also in a store that knows only bytes.
//
// Thread safety: functions without state.

namespace kith::inline v0_single {

/// The most bytes of a text key; the key map of a stored collection takes no more.
inline constexpr std::size_t max_key_bytes = 511;

namespace detail {

/// What the key of a record may be.
template <class T>
concept KeyValue = std::same_as<T, std::string> || StoredInteger<T>;

/// Flips what makes a negative number look large when bytes are compared.
template <StoredInteger T>
constexpr std::make_unsigned_t<T> ordered_bits(T value) noexcept {
    using Bits = std::make_unsigned_t<T>;
    const auto sign = std::is_signed_v<T> ? static_cast<Bits>(Bits{1} << (8 * sizeof(T) - 1)) : Bits{0};
    return static_cast<Bits>(static_cast<Bits>(value) ^ sign);
}

/// The bytes of a key.
template <KeyValue T>
std::string key_bytes(const T& key) {
    if constexpr (std::same_as<T, std::string>) {
        return key;
    } else {
        const auto bits = ordered_bits(key);
        std::string bytes(sizeof(T), '\0');
        for (std::size_t byte = 0; byte < sizeof(T); ++byte) {
            bytes[byte] = static_cast<char>((bits >> (8 * (sizeof(T) - 1 - byte))) & 0xff);
        }
        return bytes;
    }
}

/// The key that has these bytes.
/// Throws: Error with corrupt when an integer key has not the bytes of its type.
template <KeyValue T>
T key_from_bytes(std::string_view bytes) {
    if constexpr (std::same_as<T, std::string>) {
        return std::string(bytes);
    } else {
        if (bytes.size() != sizeof(T)) {
            raise(Errc::corrupt, "a stored key has " + std::to_string(bytes.size()) + " bytes, an integer key has " +
                                     std::to_string(sizeof(T)));
        }
        std::make_unsigned_t<T> bits = 0;
        for (const char byte : bytes) {
            bits = static_cast<std::make_unsigned_t<T>>((bits << 8) | static_cast<unsigned char>(byte));
        }
        return static_cast<T>(ordered_bits(static_cast<T>(bits)));
    }
}

/// A key as a person writes it: text in quotes, an integer in digits.
template <KeyValue T>
std::string show_key(std::string_view bytes) {
    if constexpr (std::same_as<T, std::string>) {
        return '\'' + std::string(bytes) + '\'';
    } else {
        return std::to_string(key_from_bytes<T>(bytes));
    }
}

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/schema/utf8.hpp — tells well-formed UTF-8 from other bytes.
//
// Text that is not would fail far from where it came in: in JSON, in a tokenizer, in another language's string type.
// So it is refused at the door. Zero bytes are well-formed and may stand anywhere.
//
// Thread safety: functions without state.
// Source: The Unicode Standard, version 15.0, table 3-7 (well-formed byte sequences).

namespace kith::inline v0_single::detail {

/// The bytes of the well-formed character at the start of `text`, or 0 when there is none.
/// Requires: text is not empty.
inline std::size_t utf8_character(std::string_view text) noexcept {
    const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return 1;
    const std::size_t size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (size == 0 || text.size() < size) return 0;
    // The second byte also keeps out long spellings, surrogates, and what lies past U+10FFFF.
    const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte(1) < low || byte(1) > high) return 0;
    for (std::size_t at = 2; at < size; ++at) {
        if ((byte(at) & 0xc0) != 0x80) return 0;
    }
    return size;
}

/// The offset of the first byte that begins no well-formed character; text.size() when all is well.
inline std::size_t utf8_valid_prefix(std::string_view text) noexcept {
    std::size_t at = 0;
    while (at < text.size()) {
        std::uint64_t eight = 0;
        if (text.size() - at >= sizeof(eight)) {
            std::memcpy(&eight, text.data() + at, sizeof(eight));
            if ((eight & 0x8080808080808080ULL) == 0) {  // eight ASCII letters at once
                at += sizeof(eight);
                continue;
            }
        }
        const std::size_t size = utf8_character(text.substr(at));
        if (size == 0) return at;
        at += size;
    }
    return at;
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

/// Why a value is refused. `text` names the field, what came and what was expected.
struct FieldProblem {
    std::string_view field;
    std::string text;
};

/// What a metric asks of a vector.
struct VectorRules {
    std::size_t dim = 0;
    bool needs_direction = false;  // a vector of length zero means nothing to the metric

    friend constexpr bool operator==(const VectorRules&, const VectorRules&) noexcept = default;
};

/// The rules of a metric. Metrics live in a column beside this one and are known by the name they are stored under.
template <class Metric>
constexpr VectorRules vector_rules(std::size_t dim) noexcept {
    return {dim, std::string_view(Metric::name) == "cosine"};
}

inline constexpr double shortest_direction = 1e-18;

namespace detail {

/// True for everything but NaN and the infinities. Asks the bits, because a program built with -ffast-math is told by
/// its compiler that every number is finite.
inline bool is_finite(float number) noexcept {
    return (std::bit_cast<std::uint32_t>(number) & 0x7fffffffu) < 0x7f800000u;
}

inline bool all_finite(std::span<const float> vector) noexcept {
    bool finite = true;
    for (const float element : vector) finite &= is_finite(element);
    return finite;
}

/// The sum of squares, in double, where the squares of finite floats never overflow.
inline double square_length(std::span<const float> vector) noexcept {
    std::array<double, 8> sums{};  // independent chains, so that additions overlap
    std::span<const float> rest = vector;
    for (; rest.size() >= sums.size(); rest = rest.subspan(sums.size())) {
        for (std::size_t lane = 0; lane < sums.size(); ++lane) {
            const double element = rest[lane];
            sums[lane] += element * element;
        }
    }
    double total = 0;
    for (const double element : rest) total += element * element;
    for (const double sum : sums) total += sum;
    return total;
}

/// A number for a message, such as "2.3e+19".
inline std::string show_number(double number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%g", number);
    return text.data();
}

/// The sentence for a vector with an element that is not finite.
inline std::string element_problem(std::span<const float> vector) {
    std::size_t at = 0;
    while (is_finite(vector[at])) ++at;
    const bool infinite = (std::bit_cast<std::uint32_t>(vector[at]) & 0x7fffffffu) == 0x7f800000u;
    return "element " + std::to_string(at) + " is " + (infinite ? "infinite" : "NaN") + ", expected a finite number";
}

/// The sentence for a vector of finite elements.
inline std::optional<std::string> length_problem(std::span<const float> vector, bool needs_direction) {
    const double squares = square_length(vector);
    const bool too_long = squares > longest_vector * longest_vector;
    const bool too_short = needs_direction && squares < shortest_direction * shortest_direction;
    if (!too_long && !too_short) return std::nullopt;
    if (squares == 0) return "all elements are zero, expected a direction that Cosine can compare";
    return "the vector's length is " + show_number(std::sqrt(squares)) + ", expected " +
           (too_long ? "at most 1e18" : "at least 1e-18, so that Cosine can tell its direction");
}

}  // namespace detail

/// Why a vector cannot be stored or searched with; nothing when it can. For vectors sized at run time too: the text
/// is such as "dimension is 384, got 383".
/// Cost: two passes over the elements; allocates only to complain.
inline std::optional<std::string> vector_problem(std::span<const float> vector, VectorRules rules) {
    if (vector.size() != rules.dim) {
        return "dimension is " + std::to_string(rules.dim) + ", got " + std::to_string(vector.size());
    }
    if (!detail::all_finite(vector)) return detail::element_problem(vector);
    return detail::length_problem(vector, rules.needs_direction);
}

namespace detail {

/// Why a vector of these elements cannot be stored.
/// Cost: integers and bits are looked at only for a metric that needs a direction; what is not float is copied.
template <Element T>
std::optional<std::string> elements_problem(std::span<const T> elements, VectorRules rules) {
    if constexpr (std::same_as<T, float>) {
        return vector_problem(elements, rules);
    } else {
        if (sizeof(T) == 1 && !rules.needs_direction) return std::nullopt;
        std::vector<float> floats(elements.size() * dimensions_an_element<T>);
        decode_elements(elements.data(), floats.size(), floats.data());
        return vector_problem(floats, rules);
    }
}

}  // namespace detail

/// Why a text cannot be stored.
inline std::optional<std::string> text_problem(std::string_view text) {
    const std::size_t valid = detail::utf8_valid_prefix(text);
    if (valid == text.size()) return std::nullopt;
    return "byte " + std::to_string(valid) + " is not valid UTF-8, expected UTF-8 text";
}

/// Why a text cannot be a key.
inline std::optional<std::string> key_problem(std::string_view key) {
    if (key.empty()) return "the key is empty, expected 1 to " + std::to_string(max_key_bytes) + " bytes";
    if (key.size() > max_key_bytes) {
        return "the key has " + std::to_string(key.size()) + " bytes, expected at most " +
               std::to_string(max_key_bytes);
    }
    return text_problem(key);
}

namespace detail {

/// Why the value of a member that no VectorField names cannot be stored.
template <class T>
std::optional<std::string> value_problem(const T& value, bool is_key) {
    if constexpr (is_optional<T>) {
        return value.has_value() ? value_problem(*value, is_key) : std::nullopt;
    } else if constexpr (std::same_as<T, std::string>) {
        return is_key ? key_problem(value) : text_problem(value);
    } else if constexpr (std::same_as<T, std::vector<std::string>>) {
        for (std::size_t at = 0; at < value.size(); ++at) {
            if (auto problem = text_problem(value[at])) return "element " + std::to_string(at) + ": " + *problem;
        }
        return std::nullopt;
    } else {
        return std::nullopt;
    }
}

}  // namespace detail

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

template <class L>
concept IntegerLiteral = StoredInteger<L> || std::same_as<L, short> || std::same_as<L, unsigned short> ||
                         std::same_as<L, signed char> || std::same_as<L, unsigned char>;

template <class L>
concept NumberLiteral = IntegerLiteral<L> || std::same_as<L, float> || std::same_as<L, double>;

/// True when a literal of type L can be meant for a scalar of type T.
template <class T, class L>
consteval bool literal_fits() {
    if constexpr (std::same_as<T, std::string>) {
        return std::is_convertible_v<const L&, std::string_view>;
    } else if constexpr (StoredInteger<T>) {
        return IntegerLiteral<L>;
    } else if constexpr (std::floating_point<T>) {
        return NumberLiteral<L>;
    } else {
        return std::same_as<T, L>;  // bool and enumerations
    }
}

/// Says what to write when a literal of type L stands beside a field whose scalars are of type T.
template <class T, class L>
struct LiteralCheck {
    static constexpr bool ok = literal_fits<T, L>();
    static constexpr bool null = std::same_as<L, std::nullopt_t> || std::same_as<L, std::nullptr_t>;

    static_assert(ok || !null, "kith: nothing equals null; write kith::field<&Record::member>.is_null()");
    static_assert(ok || null || !std::same_as<T, std::string>,
                  "kith: this is a text field; compare it with text, such as \"kith\"");
    static_assert(ok || null || !StoredInteger<T>,
                  "kith: this is an integer field; compare it with an integer, such as 2020");
    static_assert(ok || null || !std::floating_point<T>,
                  "kith: this is a number field; compare it with a number, such as 0.5");
    static_assert(ok || null || !std::same_as<T, bool>, "kith: this is a bool field; compare it with true or false");
    static_assert(ok || null || !StoredEnum<T>,
                  "kith: this is an enum field; compare it with a value of the same enum");
};

[[noreturn]] inline void raise_literal(std::string_view field, const std::string& what) {
    raise(Errc::invalid_argument, "field '" + std::string(field) + "': " + what);
}

/// True when an integer is a float or double of the same value: its bits between the first and last 1 fit.
template <std::floating_point T, IntegerLiteral L>
constexpr bool is_exact(L literal) noexcept {
    const auto bits = static_cast<std::uint64_t>(literal);
    const std::uint64_t magnitude = literal < L{0} ? std::uint64_t{0} - bits : bits;
    if (magnitude == 0) return true;
    return std::bit_width(magnitude) - static_cast<std::uint64_t>(std::countr_zero(magnitude)) <=
           static_cast<std::uint64_t>(std::numeric_limits<T>::digits);
}

template <StoredInteger T, IntegerLiteral L>
Value integer_value(std::string_view field, L literal) {
    if (!std::in_range<T>(literal)) {
        raise_literal(field, std::to_string(literal) + " does not fit " + std::string(name(scalar_kind<T>())) +
                                 ", expected " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                                 std::to_string(std::numeric_limits<T>::max()));
    }
    if constexpr (std::is_signed_v<T>) {
        return static_cast<std::int64_t>(literal);
    } else {
        return static_cast<std::uint64_t>(literal);
    }
}

/// A number for a float field is rounded to float, so that `== 0.1` finds what was stored as 0.1f.
template <std::floating_point T, NumberLiteral L>
Value number_value(std::string_view field, L literal) {
    const std::string kind(name(scalar_kind<T>()));
    if constexpr (IntegerLiteral<L>) {
        if (!is_exact<T>(literal)) {
            raise_literal(
                field, std::to_string(literal) + " is between two values of " + kind + "; write the one that is meant");
        }
    } else {
        if (std::isnan(literal)) raise_literal(field, "NaN compares with nothing, expected a number");
        if (std::isfinite(literal) && std::abs(literal) > static_cast<L>(std::numeric_limits<T>::max())) {
            raise_literal(field, show_number(literal) + " does not fit " + kind);
        }
    }
    return static_cast<double>(static_cast<T>(literal));
}

/// The value to compare scalars of type T with. `field` is for the message.
/// Throws: Error with invalid_argument when the literal is no value of the field's type.
template <StoredScalar T, class L>
Value literal_value(std::string_view field, const L& literal) {
    if constexpr (!LiteralCheck<T, L>::ok) {
        return Value();
    } else if constexpr (std::same_as<T, std::string>) {
        return std::string(std::string_view(literal));
    } else if constexpr (std::same_as<T, bool>) {
        return literal;
    } else if constexpr (StoredEnum<T>) {
        using Number = std::conditional_t<std::is_signed_v<std::underlying_type_t<T>>, std::int64_t, std::uint64_t>;
        return static_cast<Number>(literal);
    } else if constexpr (std::floating_point<T>) {
        return number_value<T>(field, literal);
    } else {
        return integer_value<T>(field, literal);
    }
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

namespace detail {

/// The forms a condition on a field can take.
enum class Form : unsigned char { equality, order, membership, content };

/// Says what to write when a field cannot take a condition of this form.
template <class T, Form Wanted>
struct FormCheck {
    static constexpr bool vector = is_element_array<T>;
    static constexpr bool list = is_list<Present<T>>;
    static constexpr bool storable = vector || StoredScalar<ScalarOf<T>>;
    static constexpr bool of_list = Wanted == Form::content;

    static_assert(storable, "kith: a member of this type is no field; see the sentence about its Schema");
    static_assert(!vector, "kith: a vector field is searched, not compared; write nearest<&Record::member>(query)");
    static_assert(
        !storable || vector || list || !of_list,
        "kith: contains looks into a list and this field is none; write kith::in(kith::field<&Record::member>, "
        "{...}) or compare it");
    static_assert(!list || of_list,
                  "kith: this field is a list; write kith::contains(kith::field<&Record::member>, value)");
    static_assert(list || Wanted != Form::order || !std::is_same_v<ScalarOf<T>, bool>,
                  "kith: a bool field is not ordered; compare it with == or !=");

    static constexpr bool ok =
        storable && !vector && list == of_list && !(Wanted == Form::order && std::is_same_v<ScalarOf<T>, bool>);
};

template <auto Member>
consteval std::string_view field_name() {
    return member_name<RecordOf<Member>, member_index<Member>>;
}

template <auto Member, Form Wanted, class L>
Expression leaf_of_one(Op op, const L& literal) {
    using T = TypeOf<Member>;
    Expression leaf{.op = op, .field = member_index<Member>};
    if constexpr (FormCheck<T, Wanted>::ok) {
        leaf.values.push_back(literal_value<ScalarOf<T>>(field_name<Member>(), literal));
    }
    return leaf;
}

/// Values are sorted, so that equal conditions are equal trees and a look-up can halve.
template <auto Member, Form Wanted, class Literals>
Expression leaf_of_many(Op op, const Literals& literals) {
    using T = TypeOf<Member>;
    Expression leaf{.op = op, .field = member_index<Member>};
    if constexpr (FormCheck<T, Wanted>::ok) {
        for (const auto& literal : literals) {
            leaf.values.push_back(literal_value<ScalarOf<T>>(field_name<Member>(), literal));
        }
        std::sort(leaf.values.begin(), leaf.values.end());
        leaf.values.erase(std::unique(leaf.values.begin(), leaf.values.end()), leaf.values.end());
    }
    return leaf;
}

}  // namespace detail

/// Stands for a field in a condition; see `field`.
template <auto Member>
struct FieldRef {
    static_assert(std::is_member_object_pointer_v<std::remove_const_t<decltype(Member)>>,
                  "kith: a field is named by a pointer to a data member; write kith::field<&Record::member>");
    using Record = detail::RecordOf<Member>;

    /// Holds for records in which the field has no value.
    [[nodiscard]] Condition<Record> is_null() const {
        static_assert(detail::is_optional<detail::TypeOf<Member>>,
                      "kith: this field is never null; only a std::optional member takes is_null()");
        return Condition<Record>({.op = Op::is_null, .field = detail::member_index<Member>});
    }
};

/// A field of a record, to be compared: `field<&Article::year> >= 2020`.
/// Throws: each comparison, Error with invalid_argument for a value that the field's type cannot hold.
template <auto Member>
inline constexpr FieldRef<Member> field{};

template <auto Member, class L>
[[nodiscard]] auto operator==(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(detail::leaf_of_one<Member, detail::Form::equality>(Op::equal, literal));
}

template <auto Member, class L>
[[nodiscard]] auto operator!=(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_one<Member, detail::Form::equality>(Op::not_equal, literal));
}

template <auto Member, class L>
[[nodiscard]] auto operator<(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(detail::leaf_of_one<Member, detail::Form::order>(Op::less, literal));
}

template <auto Member, class L>
[[nodiscard]] auto operator<=(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_one<Member, detail::Form::order>(Op::less_equal, literal));
}

template <auto Member, class L>
[[nodiscard]] auto operator>(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(detail::leaf_of_one<Member, detail::Form::order>(Op::greater, literal));
}

template <auto Member, class L>
[[nodiscard]] auto operator>=(FieldRef<Member>, const L& literal) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_one<Member, detail::Form::order>(Op::greater_equal, literal));
}

/// The field is one of the values; false of none.
template <auto Member, class Literals>
[[nodiscard]] auto in(FieldRef<Member>, const Literals& values) {
    return Condition<detail::RecordOf<Member>>(detail::leaf_of_many<Member, detail::Form::membership>(Op::in, values));
}

template <auto Member, class L>
[[nodiscard]] auto in(FieldRef<Member> field, std::initializer_list<L> values) {
    return in<Member, std::initializer_list<L>>(field, values);
}

/// The list holds the value.
template <auto Member, class L>
[[nodiscard]] auto contains(FieldRef<Member>, const L& value) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_one<Member, detail::Form::content>(Op::contains_any, value));
}

/// The list holds at least one of the values; false of none.
template <auto Member, class Literals>
[[nodiscard]] auto contains_any(FieldRef<Member>, const Literals& values) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_many<Member, detail::Form::content>(Op::contains_any, values));
}

template <auto Member, class L>
[[nodiscard]] auto contains_any(FieldRef<Member> field, std::initializer_list<L> values) {
    return contains_any<Member, std::initializer_list<L>>(field, values);
}

/// The list holds every one of the values; true of none.
template <auto Member, class Literals>
[[nodiscard]] auto contains_all(FieldRef<Member>, const Literals& values) {
    return Condition<detail::RecordOf<Member>>(
        detail::leaf_of_many<Member, detail::Form::content>(Op::contains_all, values));
}

template <auto Member, class L>
[[nodiscard]] auto contains_all(FieldRef<Member> field, std::initializer_list<L> values) {
    return contains_all<Member, std::initializer_list<L>>(field, values);
}

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// What Collection::nearest and Snapshot::nearest return; nothing is searched before run().
template <class S, std::size_t VectorField>
class NearestQuery {
    using Attribute = typename S::template VectorAttribute<VectorField>;

public:
    using Record = typename S::Record;

    NearestQuery(detail::Moment moment, std::span<const float> query)
        : moment_(std::move(moment)), query_(query.begin(), query.end()) {}

    /// At most `count` hits; fewer only where fewer records match. Default: 10.
    NearestQuery& limit(std::size_t count) noexcept {
        limit_ = count;
        return *this;
    }

    /// The share of the true nearest neighbours to find, above 0 and at most 1; 1 compares every record. Default: 0.95.
    /// Each segment knows from its own exact search how hard it must try (see index/recall_curve.hpp); before it does,
    /// it tries harder than it probably must.
    NearestQuery& recall(double share) noexcept {
        recall_ = share;
        return *this;
    }

    /// How many candidates the graph search keeps (the paper's ef), instead of a recall: more finds more of the true
    /// neighbours and takes longer. Never less than the limit.
    NearestQuery& ef_search(std::size_t count) noexcept {
        ef_search_ = count;
        return *this;
    }

    /// Compares the query with every record: recall is 1, the cost is a scan.
    NearestQuery& exact() noexcept {
        exact_ = true;
        return *this;
    }

    /// Returns only records that satisfy `condition`; a second call narrows the first.
    NearestQuery& where(Condition<Record> condition) {
        condition_ = condition_.has_value() ? std::move(*condition_) && std::move(condition) : std::move(condition);
        return *this;
    }

    /// The nearest records of one moment, nearest first; equal distances order by age, oldest first.
    /// Throws: Errc::invalid_argument for a query of another dimension, with an element that is not finite, of zero
    /// length under Cosine, for a limit or ef_search of 0, or a recall that is none; closed, forked, corrupt.
    [[nodiscard]] std::vector<Hit<Record>> run() const {
        check();
        const detail::Engine& engine = moment_.engine();
        const auto open = engine.enter();
        const auto snapshot = moment_.snapshot();
        Record candidate{};
        const detail::Accept accept = [&](const detail::SegmentView& view, Slot slot) {
            detail::decode_row<S>(engine, view, slot, candidate);
            return evaluate(*condition_, candidate);
        };
        detail::SearchRequest request = unconditional();
        request.accept = condition_.has_value() ? &accept : nullptr;
        return hits_of(*snapshot, engine.search(*snapshot, request));
    }

    /// What run() would do in each segment, and why.
    /// Throws: as run().
    [[nodiscard]] Explanation explain() const {
        check();
        const auto open = moment_.engine().enter();
        const auto snapshot = moment_.snapshot();
        const detail::SearchRequest request = unconditional();
        Explanation explanation{std::string(Attribute::name),
                                ef_search_.has_value() ? 0 : request.recall,
                                request.exact,
                                condition_.has_value(),
                                {}};
        SearchScratch scratch;
        for (const detail::SegmentView& view : snapshot->segments) {
            explanation.segments.push_back({view.segment->id(), view.segment->sealed(), view.live(),
                                            detail::SegmentSearch(request, view, scratch).plan()});
        }
        return explanation;
    }

private:
    template <class, std::size_t>
    friend class NearestManyQuery;

    [[nodiscard]] std::vector<Hit<Record>> hits_of(const detail::Snapshot& snapshot,
                                                   const std::vector<detail::Found>& found) const {
        std::vector<Hit<Record>> hits;
        for (const detail::Found& one : found) {
            const detail::SegmentView* view = snapshot.find(one.id);
            hits.push_back({detail::decode_record<S>(moment_.engine(), *view, one.id.slot),
                            Attribute::Metric::score(one.distance), one.distance});
        }
        return hits;
    }

    [[nodiscard]] detail::SearchRequest unconditional() const {
        detail::SearchRequest request;
        request.vector_field = VectorField;
        request.query = query_.data();
        request.limit = limit_;
        request.ef_search = ef_search_;
        request.recall = recall_.value_or(request.recall);
        request.exact = exact_ || recall_ == 1.0;
        return request;
    }

    void check() const {
        check_settings();
        if (const auto problem = vector_problem(query_, vector_rules<typename Attribute::Metric>(Attribute::dim))) {
            raise(Errc::invalid_argument, "query for field '" + std::string(Attribute::name) + "': " + *problem);
        }
    }

    void check_settings() const {
        if (limit_ == 0) raise(Errc::invalid_argument, "limit is 0; ask for at least 1 record");
        if (recall_.has_value() && ef_search_.has_value()) {
            raise(Errc::invalid_argument, "recall and ef_search both say how hard to search; ask for one of them");
        }
        if (recall_.has_value() && !(*recall_ > 0 && *recall_ <= 1)) {
            raise(Errc::invalid_argument,
                  "recall is " + std::to_string(*recall_) + "; it must be above 0 and at most 1");
        }
        if (ef_search_ == 0) raise(Errc::invalid_argument, "ef_search is 0; it must be at least 1");
    }

    detail::Moment moment_;
    std::vector<float> query_;  // a copy: the caller's may be gone when the query runs
    std::size_t limit_ = 10;
    std::optional<double> recall_;
    std::optional<std::size_t> ef_search_;
    bool exact_ = false;
    std::optional<Condition<Record>> condition_;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

namespace detail {

template <class V>
using ElementOf = std::remove_cvref_t<decltype(*std::data(std::declval<const V&>()))>;

/// A range of vectors of any elements.
template <class V>
concept VectorRange = requires(const V& vectors) {
    requires Element<ElementOf<decltype(*std::begin(vectors))>>;
    std::end(vectors);
};

}  // namespace detail

/// What Collection::nearest_many and Snapshot::nearest_many return; nothing is searched before run(). The settings are those of NearestQuery.
template <class S, std::size_t VectorField>
class NearestManyQuery {
    using Attribute = typename S::template VectorAttribute<VectorField>;
    using One = NearestQuery<S, VectorField>;

public:
    using Record = typename S::Record;

    /// Shape: `queries` holds whole vectors, one after the other.
    NearestManyQuery(detail::Moment moment, std::span<const float> queries)
        : one_(std::move(moment), {}), queries_(queries.begin(), queries.end()) {
        if (queries.size() % Attribute::dim != 0) {
            raise(Errc::invalid_argument, about("queries") + std::to_string(queries.size()) +
                                              " elements are no number of vectors of " +
                                              std::to_string(Attribute::dim));
        }
    }

    NearestManyQuery(detail::Moment moment, const detail::VectorRange auto& queries) : one_(std::move(moment), {}) {
        std::vector<float> buffer;
        for (const auto& vector : queries) {
            const std::span<const detail::ElementOf<decltype(vector)>> elements(vector);
            const std::span<const float> query = detail::floats_of(elements, buffer);
            if (query.size() != Attribute::dim) {
                raise(Errc::invalid_argument, about_query(queries_.size() / Attribute::dim) + "has " +
                                                  std::to_string(query.size()) + " elements; expected " +
                                                  std::to_string(Attribute::dim));
            }
            queries_.insert(queries_.end(), query.begin(), query.end());
        }
    }

    NearestManyQuery& limit(std::size_t count) noexcept {
        one_.limit(count);
        return *this;
    }
    NearestManyQuery& recall(double share) noexcept {
        one_.recall(share);
        return *this;
    }
    NearestManyQuery& ef_search(std::size_t count) noexcept {
        one_.ef_search(count);
        return *this;
    }
    NearestManyQuery& exact() noexcept {
        one_.exact();
        return *this;
    }
    NearestManyQuery& where(Condition<Record> condition) {
        one_.where(std::move(condition));
        return *this;
    }

    /// How many threads search, the caller's among them. Default: 1.
    NearestManyQuery& threads(unsigned count) noexcept {
        threads_ = count;
        return *this;
    }

    /// For each query, in their order, what NearestQuery::run returns; all of one moment.
    /// Throws: as NearestQuery::run, and Errc::invalid_argument for 0 threads or more than 1024.
    [[nodiscard]] std::vector<std::vector<Hit<Record>>> run() const {
        check();
        const detail::Engine& engine = one_.moment_.engine();
        const auto open = engine.enter();
        const auto snapshot = one_.moment_.snapshot();
        std::vector<Record> candidates(threads_);
        std::vector<detail::Accept> accepts;
        if (one_.condition_.has_value()) {
            for (Record& candidate : candidates) {
                accepts.emplace_back([&, decoded = &candidate](const detail::SegmentView& view, Slot slot) {
                    detail::decode_row<S>(engine, view, slot, *decoded);
                    return evaluate(*one_.condition_, *decoded);
                });
            }
        }
        const MatrixView queries{queries_.data(), count(), Attribute::dim, Attribute::dim};
        const auto found = engine.search_many(*snapshot, one_.unconditional(), queries, accepts, threads_);
        std::vector<std::vector<Hit<Record>>> hits(found.size());
        share_work(threads_, found.size(),
                   [&](std::size_t at, unsigned) { hits[at] = one_.hits_of(*snapshot, found[at]); });
        return hits;
    }

private:
    static constexpr unsigned most_threads = 1024;

    [[nodiscard]] std::size_t count() const noexcept { return queries_.size() / Attribute::dim; }

    static std::string about(const std::string& what) {
        return what + " for field '" + std::string(Attribute::name) + "': ";
    }
    static std::string about_query(std::size_t number) { return about("query " + std::to_string(number)); }

    void check() const {
        one_.check_settings();
        if (threads_ == 0 || threads_ > most_threads) {
            raise(Errc::invalid_argument, "threads is " + std::to_string(threads_) + "; it must be between 1 and " +
                                              std::to_string(most_threads));
        }
        const auto rules = vector_rules<typename Attribute::Metric>(Attribute::dim);
        for (std::size_t at = 0; at < count(); ++at) {
            const std::span<const float> query = std::span(queries_).subspan(at * Attribute::dim, Attribute::dim);
            if (const auto problem = vector_problem(query, rules)) {
                raise(Errc::invalid_argument, about_query(at) + *problem);
            }
        }
    }

    One one_;                     // the settings
    std::vector<float> queries_;  // copies: the caller's may be gone when the query runs
    unsigned threads_ = 1;
};

}  // namespace kith::inline v0_single

// kith/collection/record_range.hpp — all records of one moment, one after another.
//
// The range holds a snapshot, so writes that come later change nothing in it. Records come in the order of their
// segments, and in a segment in the order in which they were written; a merge may change the order of older ones.
//
// Thread safety: one thread a range; the collection may be written meanwhile.

namespace kith::inline v0_single {

template <class S>
class RecordRange {
public:
    using Record = typename S::Record;

    explicit RecordRange(const detail::Moment& moment) : engine_(&moment.engine()) {
        const auto open = engine_->enter();
        snapshot_ = moment.snapshot();
    }

    class Iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Record;
        using difference_type = std::ptrdiff_t;
        using pointer = const Record*;
        using reference = const Record&;

        explicit Iterator(const RecordRange& range) : range_(&range) { load_next(); }

        reference operator*() const noexcept { return record_; }
        pointer operator->() const noexcept { return &record_; }

        /// Throws: closed, forked, corrupt.
        Iterator& operator++() {
            ++slot_;
            load_next();
            return *this;
        }
        void operator++(int) { ++*this; }

        friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return it.at_end(); }

    private:
        [[nodiscard]] bool at_end() const noexcept { return segment_ == range_->snapshot_->segments.size(); }

        void load_next() {
            const auto& segments = range_->snapshot_->segments;
            for (; segment_ < segments.size(); ++segment_, slot_ = 0) {
                const detail::SegmentView& view = segments[segment_];
                const BitsetView allowed = view.allowed();
                while (slot_ < view.count && !allowed.allows(slot_)) ++slot_;
                if (slot_ == view.count) continue;
                const auto open = range_->engine_->enter();
                record_ = detail::decode_record<S>(*range_->engine_, view, slot_);
                return;
            }
        }

        const RecordRange* range_;
        std::size_t segment_ = 0;
        Slot slot_ = 0;
        Record record_{};  // the record at (segment_, slot_), unless the range has ended
    };

    [[nodiscard]] Iterator begin() const { return Iterator(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    const detail::Engine* engine_;  // the collection's, which must outlive the range
    std::shared_ptr<const detail::Snapshot> snapshot_;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// The reading half of Collection and Snapshot; `Self` says which Moment it reads.
///
/// Thread safety: every function may be called by any number of threads at once; none waits for a writer.
template <class Self, class S>
class Reading {
public:
    using Record = typename S::Record;
    using Key = typename S::KeyType;

    /// The record with `key`, its vectors bit for bit as they were written; nothing when there is none.
    /// Throws: closed, forked, corrupt, as every function that reads.
    [[nodiscard]] std::optional<Record> get(const Key& key) const {
        const detail::Moment moment = self().moment();
        const auto open = moment.engine().enter();
        const auto located = moment.locate(S::key_bytes(key));
        if (!located.has_value()) return std::nullopt;
        return detail::decode_record<S>(moment.engine(), *located->view, located->id.slot);
    }

    [[nodiscard]] bool contains(const Key& key) const {
        const detail::Moment moment = self().moment();
        const auto open = moment.engine().enter();
        return moment.locate(S::key_bytes(key)).has_value();
    }

    /// How many records there are.
    [[nodiscard]] std::size_t size() const {
        const detail::Moment moment = self().moment();
        const auto open = moment.engine().enter();
        return static_cast<std::size_t>(moment.snapshot()->live());
    }

    /// Asks for the records whose vector `Member` is nearest to `query`; see NearestQuery.
    template <auto Member>
    [[nodiscard]] auto nearest(std::span<const float> query) const {
        return NearestQuery<S, S::template vector_index<Member>>(self().moment(), query);
    }

    /// The same for a query of the elements the vectors are made of, where those are not floats.
    template <auto Member, Element T, std::size_t Count>
        requires(!std::same_as<T, float>)
    [[nodiscard]] auto nearest(const std::array<T, Count>& query) const {
        std::vector<float> floats;
        return nearest<Member>(detail::floats_of(std::span<const T>(query), floats));
    }

    /// Asks the same of many vectors at once: of a range of vectors, of floats or of the field's elements, or of a span
    /// of floats that holds whole vectors one after the other; see NearestManyQuery.
    /// Throws: Errc::invalid_argument for a vector of another dimension.
    template <auto Member, class Queries>
    [[nodiscard]] auto nearest_many(const Queries& queries) const {
        return NearestManyQuery<S, S::template vector_index<Member>>(self().moment(), queries);
    }

    /// Every record of this moment, for a range-based for loop.
    [[nodiscard]] RecordRange<S> records() const { return RecordRange<S>(self().moment()); }

private:
    [[nodiscard]] const Self& self() const noexcept { return static_cast<const Self&>(*this); }
};

}  // namespace kith::inline v0_single

// kith/collection/snapshot_handle.hpp — a collection as it was at one moment, for as long as it is held.

namespace kith::inline v0_single {

/// What Collection::snapshot returns: the records of that moment, whatever is written, sealed or merged since. Holding
/// it keeps no writer waiting; it keeps the files, rows and memory of the segments it shows, which a merge would
/// otherwise give back, so let go of it when it is no longer needed.
///
/// The collection must outlive it, and must not be moved meanwhile; once that is closed, reading raises Errc::closed.
/// Copies show the same moment.
///
/// Thread safety: as Reading.
template <class S>
class Snapshot : public Reading<Snapshot<S>, S> {
public:
    explicit Snapshot(const detail::Engine& engine)
        : moment_([&] {
              const auto open = engine.enter();
              return detail::Moment(engine, engine.snapshot());
          }()) {}

private:
    friend class Reading<Snapshot<S>, S>;

    [[nodiscard]] const detail::Moment& moment() const noexcept { return moment_; }

    detail::Moment moment_;
};

}  // namespace kith::inline v0_single

// kith/index/compiled_indexes.hpp — the indexes most programs use, which the compiled unit holds for all of them.
//
// They are those of a field of floats that names no index, so a file with such a collection compiles in half the time.

// kith/distance/cosine.hpp — the angle between two vectors, whatever their lengths.
//
// There is no kernel of its own: rows keep their inverse norm, and the inner product does the rest.

// kith/distance/metric.hpp — what it takes to say how far apart two vectors are.

namespace kith::inline v0_single {

/// A Metric says how far apart two vectors are; smaller is always nearer.
/// Shape:  a and b hold `dim` elements each, aligned or not.
/// Units:  any scale that keeps the order. L2 is the squared distance, Cosine 1 − cos, InnerProduct −⟨a, b⟩. `score`
///         turns a distance into what users of that metric expect to read.
/// Laws:   symmetric to the last bit; never NaN for finite input; score is monotone (tests/laws/metric_laws.hpp).
/// Cost:   `distance` is the truth that kernels are measured against, not the way an index computes it.
template <class M, class T>
concept Metric = Element<T> && requires(const T* a, const T* b, std::size_t dim, float distance) {
    { M::name } -> std::convertible_to<std::string_view>;  // stored on disk: never rename
    { M::distance(a, b, dim) } noexcept -> std::same_as<float>;
    { M::score(distance) } noexcept -> std::same_as<float>;
};

/// A metric whose distance is the sum of one term for each element: what a kernel can be made from.
/// Laws: term(a, b) equals term(b, a), and is an integer for integers.
template <class M, class T>
concept SumMetric = Metric<M, T> && Number<T> && requires(float a, std::int32_t i) {
    { M::term(a, a) } noexcept -> std::same_as<float>;
    { M::term(i, i) } noexcept -> std::same_as<std::int32_t>;
};

/// A metric of packed bits, made from how many differ and, where `needs_either` is set, how many are set in either
/// vector; `either` is 0 elsewhere.
template <class M, class T>
concept BitMetric = Metric<M, T> && std::same_as<T, Bits8> && requires(std::uint32_t differing, std::uint32_t either) {
    { M::needs_either } -> std::convertible_to<bool>;
    { M::of_counts(differing, either) } noexcept -> std::same_as<float>;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// 1 − ⟨a, b⟩ / (‖a‖ ‖b‖): 0 in the same direction, 1 at right angles, 2 opposite. Score: the cosine similarity, larger
/// is nearer. A vector of length zero has no direction; collections refuse it, and here it is at 1 from everything.
struct Cosine {
    static constexpr std::string_view name = "cosine";  // on disk: never rename

    /// The truth that kernels are measured against: summed in double, rounded once.
    template <Number T>
    static float distance(const T* a, const T* b, std::size_t dim) noexcept {
        double product = 0, squares_a = 0, squares_b = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
            product += x * y;
            squares_a += x * x;
            squares_b += y * y;
        }
        const double norms = std::sqrt(squares_a * squares_b);
        return norms > 0 ? static_cast<float>(1.0 - product / norms) : 1.0F;
    }

    static constexpr float score(float distance) noexcept { return 1.0F - distance; }
};

static_assert(Metric<Cosine, float>);

namespace detail {

/// 1 / ‖vector‖; 0 for a vector of length zero, which puts it at 1 from everything.
template <Number T>
double inverse_length(const T* vector, std::size_t dim) noexcept {
    double squares = 0;
    for (std::size_t i = 0; i < dim; ++i) squares += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
    return squares > 0 ? 1.0 / std::sqrt(squares) : 0.0;
}

/// The same as a float, finite for every finite vector.
template <Number T>
float inverse_norm(const T* vector, std::size_t dim) noexcept {
    constexpr double largest = std::numeric_limits<float>::max();
    const double inverse = inverse_length(vector, dim);
    return static_cast<float>(inverse < largest ? inverse : largest);
}

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/distance/inner_product.hpp — the inner product, turned round so that smaller is nearer.

namespace kith::inline v0_single {

/// −Σ aᵢ bᵢ. Score: the inner product itself, larger is nearer.
struct InnerProduct {
    static constexpr std::string_view name = "inner_product";  // on disk: never rename

    template <class T>
    [[gnu::always_inline]] static constexpr T term(T a, T b) noexcept {
        return -(a * b);
    }

    /// The truth that kernels are measured against: summed in double, which is exact for integers, rounded once.
    template <Number T>
    static float distance(const T* a, const T* b, std::size_t dim) noexcept {
        double sum = 0;
        for (std::size_t i = 0; i < dim; ++i) sum += term(static_cast<double>(a[i]), static_cast<double>(b[i]));
        return static_cast<float>(sum);
    }

    static constexpr float score(float distance) noexcept { return -distance; }
};

static_assert(SumMetric<InnerProduct, float>);

}  // namespace kith::inline v0_single

// kith/distance/l2.hpp — the squared Euclidean distance.
//
// The square root would cost time and change no order, so neither distances nor scores take it.

namespace kith::inline v0_single {

/// Σ (aᵢ − bᵢ)². Score: the same number, smaller is nearer.
struct L2 {
    static constexpr std::string_view name = "l2";  // on disk: never rename

    template <class T>
    [[gnu::always_inline]] static constexpr T term(T a, T b) noexcept {
        const T difference = a - b;
        return difference * difference;
    }

    /// The truth that kernels are measured against: summed in double, which is exact for integers, rounded once.
    template <Number T>
    static float distance(const T* a, const T* b, std::size_t dim) noexcept {
        double sum = 0;
        for (std::size_t i = 0; i < dim; ++i) sum += term(static_cast<double>(a[i]), static_cast<double>(b[i]));
        return static_cast<float>(sum);
    }

    static constexpr float score(float distance) noexcept { return distance; }
};

static_assert(SumMetric<L2, float>);

}  // namespace kith::inline v0_single

// kith/index/hnsw.hpp — a navigable small-world graph: near the nearest in a few thousand distances.
//
// The graph knows slots and links; the vectors, or the codes of them, are Rows that every call is given. So there is
// one HNSW for all of them. The back room index/hnsw/ holds its parts: graph, search, prune, insert, adopt, format.
//
// Thread safety: insert is called by one thread at a time; search by any number, beside it, without waiting.
// Source: Malkov & Yashunin, arXiv:1603.09320.

// kith/distance/scorer.hpp — the seam between vectors and indexes: Rows make Scorers, these turn slots into distances.
//
// An index asks for nothing else, so one search loop serves plain vectors and every quantizer's codes. A scorer is
// asked about many slots at once, because that is what hides the time a row takes to arrive from memory.
//
// Thread safety: Rows may be asked by any number of threads at once; a Scorer belongs to one.

namespace kith::inline v0_single {

/// A Scorer holds a query, prepared, and says how far each slot is from it.
/// Requires: every slot asked about has a row.
/// Shape:  `slots` holds `count` slots in any order; `out` has room for `count` distances, out[i] is for slots[i], and
///         in score_block for slot first + i.
/// Units:  the distances of the metric, or an approximation of them on the same scale; smaller is nearer.
/// Laws:   a slot's distance is the same to the last bit whichever other slots are asked about, and by either call.
/// Cost:   no allocation, no lock. `prefetch` reads nothing; it begins to fetch what scoring the slot will read. A
///         scorer whose rows a scan had better ask for itself has prefetch_scan(first, count) too, which is called
///         before those slots are scored and fetches what comes a little later; it may be told of slots without rows.
template <class S>
concept Scorer = requires(const S& scorer, const Slot* slots, Slot first, std::size_t count, float* out) {
    { scorer.score(slots, count, out) } noexcept -> std::same_as<void>;
    { scorer.score_block(first, count, out) } noexcept -> std::same_as<void>;
    { scorer.prefetch(first) } noexcept -> std::same_as<void>;
};

/// Rows hold what an index searches, one row for each slot, and prepare queries against it.
/// Shape:  `query` holds dim() elements and outlives the scorer made from it, as does `scratch`, where the scorer may
///         keep the prepared query: the next scorer made with the same scratch ends the use of this one.
/// Throws: std::bad_alloc while `scratch` still grows.
/// Laws:   scorer_of(a) at slot b equals scorer_of(b) at slot a to the last bit.
template <class R>
concept Rows = requires(const R& rows, const float* query, Slot slot, ScratchMemory& scratch) {
    { rows.dim() } noexcept -> std::same_as<std::size_t>;
    { rows.scorer(query, scratch) } -> Scorer;
    { rows.scorer_of(slot, scratch) } -> Scorer;
};

}  // namespace kith::inline v0_single

// kith/index/hnsw/adopt.hpp — a copy of a finished graph that goes on growing.
//
// Two segments become one sooner when the larger keeps its graph and only the rows of the smaller are linked. Whoever
// links trusts what stands in the graph, which a search does not; so all of it is checked on the way.
//
// Thread safety: the copy is the caller's alone; the graph that is copied is only read.

// kith/index/hnsw/graph.hpp — the nodes and links of an HNSW graph, in arrays that never move.
//
// The links of the bottom level, where nearly all of a search happens, lie in one array: with 16 links a node, two
// cache lines a slot. The few nodes of higher levels have a tower, a run of blocks, one block a level above the bottom.
// The level of a slot is a hash of seed and slot, so a graph grown in any pieces by one thread is the same graph.
//
// A reader trusts no number it loads from a list: a slot past the bound of its search is no link, a tower past the
// blocks does not exist. That lets writers go on beneath it, and makes a damaged mapped graph harmless.
//
// Thread safety: see the methods; what is const may be called by anyone at any time.
// Source: Malkov & Yashunin, arXiv:1603.09320.

// kith/core/random.hpp — small, seeded, the same numbers on every machine.
//
// The standard's distributions differ between libraries; a graph built with one seed must not. So levels and samples
// come from this generator and from arithmetic written here.
//
// Source: Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64).

namespace kith::inline v0_single {

/// Maps a number to a well-mixed one; neighbouring inputs give unrelated outputs.
constexpr std::uint64_t mix64(std::uint64_t value) noexcept {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
    return value ^ (value >> 31);
}

/// A sequence of 64-bit numbers from a seed. Satisfies std::uniform_random_bit_generator.
class SplitMix64 {
public:
    using result_type = std::uint64_t;

    constexpr explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}

    static constexpr std::uint64_t min() noexcept { return 0; }
    static constexpr std::uint64_t max() noexcept { return ~std::uint64_t{0}; }

    constexpr std::uint64_t operator()() noexcept {
        state_ += 0x9e3779b97f4a7c15ULL;
        return mix64(state_);
    }

    /// A number in [0, 1), a multiple of 2^-53.
    constexpr double uniform() noexcept { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

    /// A number in [0, bound). It is made of 53 bits: the bias is below bound / 2^53, and beyond 2^53 not every number
    /// occurs. Requires: bound is positive.
    constexpr std::uint64_t below(std::uint64_t bound) noexcept {
        return static_cast<std::uint64_t>(uniform() * static_cast<double>(bound)) % bound;
    }

private:
    std::uint64_t state_;
};

}  // namespace kith::inline v0_single

// kith/index/hnsw/links.hpp — a list of neighbours that one thread changes while others follow it.
//
// A list is a fixed number of slots, the absent ones no_slot at its end. A reader may see a list half rewritten: some
// old links, some new. Each of them is a node that is complete, because a node's own lists are stored before the first
// link to it, and links are stored with release and loaded with acquire. So nobody who searches takes a lock.
//
// Thread safety: any number of readers; writers of one list take turns by NodeLocks.

namespace kith::inline v0_single::detail {

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

}  // namespace kith::inline v0_single::detail

// kith/index/hnsw/params.hpp — what shapes an HNSW graph.

namespace kith::inline v0_single {

/// Usable as a template argument, so that a schema can name it.
struct HnswParams {
    std::uint32_t max_links = 16;  ///< links a node on the upper levels, half of those at the bottom; the paper's M
    std::uint32_t ef_construction = 200;  ///< candidates considered when a node is linked: more is slower and better
    std::uint64_t seed = 0x6b697468;      ///< same seed, same rows, one thread: same graph

    static constexpr std::uint32_t fewest_links = 4;
    static constexpr std::uint32_t most_links = 64;

    friend constexpr bool operator==(const HnswParams&, const HnswParams&) noexcept = default;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

class HnswGraph {
public:
    static constexpr unsigned highest_level = 15;

    /// Where the arrays of a finished graph lie; see format.hpp.
    struct Arrays {
        const Slot* bottom = nullptr;           // count lists of 2 * max_links
        const std::uint32_t* towers = nullptr;  // count block numbers, no_slot where there is no tower
        const std::uint8_t* states = nullptr;   // count bytes of Remembered; null in memory, where they are spread
        const Slot* blocks = nullptr;           // block_count lists of max_links
        Slot count = 0;
        std::uint32_t block_count = 0;
        Slot entry = no_slot;
        Residency* residency = nullptr;  // who brings them into memory; null where they are there
    };

    /// An empty graph for up to `capacity` nodes.
    /// Throws: Errc::invalid_argument, Errc::limit_exceeded.
    HnswGraph(const HnswParams& params, Slot capacity)
        : params_(checked(params)),
          capacity_(checked(capacity)),
          bottom_memory_(std::size_t{capacity} * width(0) * sizeof(Slot)),
          tower_memory_(std::size_t{capacity} * sizeof(std::uint32_t)),
          block_memory_(max_blocks() * width(1) * sizeof(Slot)),
          state_memory_(std::size_t{capacity} * sizeof(NodeState)),
          bottom_(reinterpret_cast<Slot*>(bottom_memory_.data())),
          towers_(reinterpret_cast<std::uint32_t*>(tower_memory_.data())),
          blocks_(reinterpret_cast<Slot*>(block_memory_.data())) {}

    /// A finished graph over arrays that outlive it. It only serves reads.
    HnswGraph(const HnswParams& params, const Arrays& arrays)
        : params_(checked(params)),
          capacity_(arrays.count),
          bottom_(arrays.bottom),
          towers_(arrays.towers),
          states_(arrays.states),
          blocks_(arrays.blocks),
          block_count_(arrays.block_count),
          reach_(arrays.count),
          size_(arrays.count),
          entry_(arrays.entry),
          residency_(arrays.residency) {}

    [[nodiscard]] const HnswParams& params() const noexcept { return params_; }
    [[nodiscard]] Slot capacity() const noexcept { return capacity_; }

    /// The first so many slots are in the graph.
    [[nodiscard]] Slot size() const noexcept { return size_.load(std::memory_order_acquire); }

    /// No link leads to a slot at or past this, as long as it was loaded after entry() and before the links.
    /// Links that appear later may; a search that ignores those stays within the rows it knows.
    [[nodiscard]] Slot reach() const noexcept { return reach_.load(std::memory_order_acquire); }

    /// Where every search begins: a node of the highest level; no_slot while the graph is empty.
    [[nodiscard]] Slot entry() const noexcept { return entry_.load(std::memory_order_acquire); }

    /// The highest level of a slot.
    [[nodiscard]] unsigned level_of(Slot slot) const noexcept {
        const std::uint64_t hash = mix64(params_.seed + (std::uint64_t{slot} + 1) * 0x9e3779b97f4a7c15ULL);
        unsigned level = 0;
        for (std::uint64_t bound = ~std::uint64_t{0} / params_.max_links; hash < bound && level < highest_level;
             ++level) {
            bound /= params_.max_links;
        }
        return level;
    }

    /// Links of a list on `level`.
    [[nodiscard]] std::size_t width(unsigned level) const noexcept {
        return level == 0 ? std::size_t{2} * params_.max_links : params_.max_links;
    }

    /// The list of a node; null when its tower does not reach `level`.
    /// Requires: slot is below reach().
    [[nodiscard]] const Slot* links(Slot slot, unsigned level) const noexcept {
        if (level == 0) return bottom_ + std::size_t{slot} * width(0);
        const std::size_t block = std::size_t{towers_[slot]} + level - 1;
        return block < block_count() ? blocks_ + block * width(1) : nullptr;
    }

    /// The block of a node's level 1; no_slot where it is on level 0 only. Requires: slot is below reach().
    [[nodiscard]] std::uint32_t tower(Slot slot) const noexcept { return towers_[slot]; }

    /// Who brings the lists into memory; null where they are there.
    [[nodiscard]] Residency* residency() const noexcept { return residency_; }

    /// Keeps the lists of a few nodes in memory, where that is not sure, while they are read.
    /// Requires: as links(); no more than a Residency holds at once.
    [[nodiscard]] Held hold_links(const Slot* nodes, std::size_t count, unsigned level) const noexcept {
        if (residency_ == nullptr) [[likely]]
            return {};
        return hold_cold_links(nodes, count, level);
    }

    /// The same for all that is stored of `count` nodes from `first` on, but their lists on higher levels.
    [[nodiscard]] Held hold_nodes(Slot first, Slot count) const noexcept {
        if (residency_ == nullptr) return {};
        const std::array<Residency::Piece, 3> pieces{{{links(first, 0), count * width(0) * sizeof(Slot)},
                                                      {towers_ + first, count * sizeof(std::uint32_t)},
                                                      {states_ + first, count}}};
        return {*residency_, pieces, Residency::Use::in_order};
    }

    /// Begins to fetch the bottom list of a node. Forced inline: GCC 12 takes a function that only prefetches for one
    /// without effect, and drops the calls.
    [[gnu::always_inline]] void prefetch_bottom(Slot slot) const noexcept {
        const auto* bytes = reinterpret_cast<const char*>(bottom_ + std::size_t{slot} * width(0));
        for (std::size_t offset = 0; offset < width(0) * sizeof(Slot); offset += 64) __builtin_prefetch(bytes + offset);
    }

    /// The arrays, for saving. Requires: nobody inserts.
    [[nodiscard]] Arrays arrays() const noexcept {
        return {bottom_, towers_, states_, blocks_, size(), block_count(), entry(), residency_};
    }

    /// What a saved graph keeps of the state of a node, so that links can be added to it later: see NodeState.
    /// Requires: nobody inserts; slot is below reach().
    [[nodiscard]] std::uint8_t remembered(Slot slot) const noexcept {
        if (states_ != nullptr) return states_[slot];
        const NodeState& state = reinterpret_cast<const NodeState*>(state_memory_.data())[slot];
        return static_cast<std::uint8_t>(std::min(state.settled, most_settled) |
                                         (state.chained != 0 ? chained_bit : 0));
    }

    /// Bytes of memory that nodes were written to; 0 when they are mapped.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return bottom_memory_.data() == nullptr ? 0 : memory_bytes_for(params_, reach(), block_count());
    }
    [[nodiscard]] static std::size_t memory_bytes_for(const HnswParams& params, Slot count,
                                                      std::size_t blocks) noexcept {
        const std::size_t list = params.max_links * sizeof(Slot);
        return count * (2 * list + sizeof(std::uint32_t) + sizeof(NodeState)) + blocks * list;
    }

    // For the one inserter and its threads, on a graph that is not mapped:

    /// Makes nodes without links of the slots from reach() up to `count`.
    void add_nodes(Slot count) noexcept {
        KITH_ASSERT(count <= capacity_);
        const Slot first = reach();
        std::uint32_t blocks = block_count();
        auto* towers = reinterpret_cast<std::uint32_t*>(tower_memory_.data());
        for (Slot slot = first; slot < count; ++slot) {
            const unsigned level = level_of(slot);
            KITH_ASSERT(blocks + level <= max_blocks());
            towers[slot] = level == 0 ? no_slot : blocks;
            std::fill_n(writable_blocks() + blocks * width(1), level * width(1), no_slot);
            std::fill_n(writable_bottom() + slot * width(0), width(0), no_slot);
            blocks += level;
        }
        block_count_.store(blocks, std::memory_order_release);
        reach_.store(std::max(first, count), std::memory_order_release);
    }

    /// The list of a node, to be written. Requires: level is at most level_of(slot).
    [[nodiscard]] Slot* writable_links(Slot slot, unsigned level) noexcept {
        if (level == 0) return writable_bottom() + std::size_t{slot} * width(0);
        return writable_blocks() + (std::size_t{towers_[slot]} + level - 1) * width(1);
    }

    /// What the inserter remembers of a node. Its lock guards the rest of it, and the node's lists.
    struct NodeState {
        std::uint8_t lock;
        std::uint8_t chained;  // 1 when the first bottom link leads to a duplicate; see insert.hpp
        std::uint8_t settled;  // bottom links, after the chained one, that are known to be diverse; see prune.hpp
    };
    [[nodiscard]] NodeState& state(Slot slot) noexcept {
        return reinterpret_cast<NodeState*>(state_memory_.data())[slot];
    }
    void remember(Slot slot, std::uint8_t remembered) noexcept {
        state(slot).chained = (remembered & chained_bit) != 0 ? 1 : 0;
        state(slot).settled = remembered & most_settled;
    }

    /// Forgets every node. Requires: nobody has seen any.
    void clear() noexcept {
        for (Slot slot = 0; slot < reach(); ++slot) state(slot) = {};
        block_count_.store(0);
        reach_.store(0);
        size_.store(0);
        entry_.store(no_slot);
    }

    /// Held by the node that is about to become the entry.
    [[nodiscard]] std::mutex& entry_mutex() noexcept { return entry_mutex_; }

    void set_entry(Slot slot) noexcept { entry_.store(slot, std::memory_order_release); }
    void set_size(Slot size) noexcept { size_.store(size, std::memory_order_release); }

private:
    static constexpr std::uint8_t chained_bit = 0x80;   // on disk
    static constexpr std::uint8_t most_settled = 0x7f;  // on disk: more are compared again

    static constexpr Slot max_capacity = Slot{1} << 31;  // a Candidate has 31 bits for a slot

    static const HnswParams& checked(const HnswParams& params) {
        if (params.max_links < HnswParams::fewest_links || params.max_links > HnswParams::most_links ||
            params.ef_construction == 0) {
            raise(Errc::invalid_argument, "HNSW: max_links is " + std::to_string(params.max_links) +
                                              ", expected 4 to 64; ef_construction is " +
                                              std::to_string(params.ef_construction) + ", expected at least 1");
        }
        return params;
    }
    static Slot checked(Slot capacity) {
        if (capacity > max_capacity) raise(Errc::limit_exceeded, "HNSW: at most 2^31 vectors a segment");
        return capacity;
    }

    [[gnu::noinline, gnu::cold]] Held hold_cold_links(const Slot* nodes, std::size_t count,
                                                      unsigned level) const noexcept {
        std::array<Residency::Piece, Residency::most_pieces> pieces;
        for (std::size_t i = 0; i < count; ++i) {
            const Held tower(level > 0 ? residency_ : nullptr, towers_ + nodes[i], sizeof(std::uint32_t));
            const Slot* const list = links(nodes[i], level);
            pieces[i] = {list, list == nullptr ? 0 : width(level) * sizeof(Slot)};
        }
        return {*residency_, std::span(pieces).first(count), Residency::Use::at_random};
    }

    /// Three times what is expected with the fewest links; address space only.
    [[nodiscard]] std::size_t max_blocks() const noexcept { return std::size_t{capacity_} + 1024; }

    [[nodiscard]] std::uint32_t block_count() const noexcept { return block_count_.load(std::memory_order_acquire); }
    [[nodiscard]] Slot* writable_bottom() noexcept { return reinterpret_cast<Slot*>(bottom_memory_.data()); }
    [[nodiscard]] Slot* writable_blocks() noexcept { return reinterpret_cast<Slot*>(block_memory_.data()); }

    HnswParams params_;
    Slot capacity_;
    ReservedMemory bottom_memory_;  // these four are empty when the graph is mapped
    ReservedMemory tower_memory_;
    ReservedMemory block_memory_;
    ReservedMemory state_memory_;
    const Slot* bottom_;                          // the list of slot s begins at s * width(0)
    const std::uint32_t* towers_;                 // number of the block for level 1, or no_slot
    const std::uint8_t* states_ = nullptr;        // null in memory
    const Slot* blocks_;                          // list b begins at b * width(1)
    std::atomic<std::uint32_t> block_count_ = 0;  // blocks of all towers
    std::atomic<Slot> reach_ = 0;                 // nodes that exist: size_, and those being linked
    std::atomic<Slot> size_ = 0;                  // nodes that are linked
    std::atomic<Slot> entry_ = no_slot;           // below reach_, of the highest level so far
    std::mutex entry_mutex_;
    Residency* residency_ = nullptr;  // of a mapped graph, where someone brings it in
};

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

/// Copies the list of a node on `level`; false when a link leads where no node of that level is.
inline bool adopt_list(HnswGraph& to, const HnswGraph& from, Slot slot, unsigned level) noexcept {
    const Held held = level > 0 ? from.hold_links(&slot, 1, level) : Held();  // those at the bottom are held already
    const Slot* const links = from.links(slot, level);
    if (links == nullptr) return false;
    Slot* const copy = to.writable_links(slot, level);
    for (std::size_t i = 0; i < to.width(level); ++i) {
        copy[i] = links[i];
        if (copy[i] == no_slot) continue;
        if (copy[i] >= from.size() || (level > 0 && to.level_of(copy[i]) < level)) return false;
    }
    return true;
}

/// Makes `to` a copy of `from`; false, and `to` is as empty as before, where they have other parameters or `from` is
/// not sound. Requires: `to` is empty, with room for the nodes of `from`; nobody inserts, and nobody searches `to`.
inline bool adopt_graph(HnswGraph& to, const HnswGraph& from) noexcept {
    const Slot count = from.size();
    KITH_ASSERT(to.reach() == 0 && count <= to.capacity());
    // Links decide how long lists are, the seed on which levels a node is.
    if (to.params().max_links != from.params().max_links || to.params().seed != from.params().seed) return false;
    if (count == 0) return true;
    if (from.entry() >= count) return false;
    to.add_nodes(count);
    bool sound = to.arrays().block_count == from.arrays().block_count;
    constexpr Slot at_once = 1024;
    for (Slot first = 0; first < count && sound; first += at_once) {
        const Slot end = first + std::min(at_once, count - first);
        const Held held = from.hold_nodes(first, end - first);
        for (Slot slot = first; slot < end && sound; ++slot) {
            const unsigned top = to.level_of(slot);
            sound = to.tower(slot) == from.tower(slot);
            for (unsigned level = 0; level <= top && sound; ++level) sound = adopt_list(to, from, slot, level);
            to.remember(slot, from.remembered(slot));
        }
    }
    if (!sound) {
        to.clear();
        return false;
    }
    to.set_entry(from.entry());
    to.set_size(count);
    return true;
}

}  // namespace kith::inline v0_single::detail

// kith/index/hnsw/format.hpp — the bytes of a finished HNSW graph, written once and mapped without copying.
//
//   image   = header bottom towers states blocks   each part begins at a multiple of 64 bytes, zeros between
//   header  = magic:8 version:u32 max_links:u32 ef_construction:u32 entry:u32 seed:u64 count:u32 block_count:u32
//             zeros up to 64
//   bottom  = count lists of 2 * max_links slots:u32       the links of level 0; no_slot where there is none
//   towers  = count numbers:u32                            the block of the slot's level 1, the next levels follow;
//                                                          no_slot where the slot has level 0 only
//   states  = count bytes                                  for who adds links: the highest bit is set where the first
//                                                          link of level 0 leads to an equal vector; the others count
//                                                          the links behind it that need no pruning among themselves
//   blocks  = block_count lists of max_links slots:u32     the links of the higher levels
//
// All of it little-endian, and mapped as it is, so a big-endian machine refuses it. Whoever stores the image adds the
// checksum. Here sizes and the entry are checked; the links need not be, since no search trusts them (see graph.hpp).

namespace kith::inline v0_single::detail {

inline constexpr std::string_view graph_magic = "kithhnsw";  // on disk
inline constexpr std::uint32_t graph_version = 2;            // on disk
inline constexpr std::size_t graph_header_bytes = 64;        // on disk
inline constexpr std::size_t graph_alignment = 64;           // on disk

/// Where the parts of an image begin, from its start.
struct GraphLayout {
    std::size_t bottom, towers, states, blocks, end;

    static GraphLayout of(std::uint32_t max_links, Slot count, std::uint32_t block_count) noexcept {
        const auto next = [](std::size_t at) { return (at + graph_alignment - 1) / graph_alignment * graph_alignment; };
        const std::size_t list = std::size_t{max_links} * sizeof(Slot);
        GraphLayout layout{};
        layout.bottom = graph_header_bytes;
        layout.towers = next(layout.bottom + 2 * list * count);
        layout.states = next(layout.towers + std::size_t{count} * sizeof(std::uint32_t));
        layout.blocks = next(layout.states + count);
        layout.end = layout.blocks + list * block_count;
        return layout;
    }
};

/// Calls sink(data, bytes) for the image, piece by piece. Requires: nobody inserts.
/// Throws: Errc::unsupported_version on a big-endian machine; what the sink throws.
template <class Sink>
void save_graph(const HnswGraph& graph, const Sink& sink) {
    if constexpr (std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "graph image: this format is for little-endian machines");
    }
    const HnswParams& params = graph.params();
    const HnswGraph::Arrays arrays = graph.arrays();
    std::string header;
    ByteWriter writer(header);
    writer.bytes(graph_magic);
    writer.u32(graph_version);
    writer.u32(params.max_links);
    writer.u32(params.ef_construction);
    writer.u32(arrays.entry);
    writer.u64(params.seed);
    writer.u32(arrays.count);
    writer.u32(arrays.block_count);
    header.resize(graph_header_bytes);
    sink(header.data(), header.size());

    const GraphLayout layout = GraphLayout::of(params.max_links, arrays.count, arrays.block_count);
    const std::array<char, graph_alignment> zeros{};
    const auto part = [&](const void* data, std::size_t bytes, std::size_t begin, std::size_t next) {
        if (bytes > 0) sink(data, bytes);
        if (next > begin + bytes) sink(zeros.data(), next - begin - bytes);
    };
    part(arrays.bottom, arrays.count * graph.width(0) * sizeof(Slot), layout.bottom, layout.towers);
    part(arrays.towers, arrays.count * sizeof(std::uint32_t), layout.towers, layout.states);
    constexpr Slot at_once = 4096;
    std::array<std::uint8_t, at_once> states;
    for (Slot first = 0; first < arrays.count; first += at_once) {
        const Slot now = std::min(at_once, arrays.count - first);
        for (Slot i = 0; i < now; ++i) states[i] = graph.remembered(first + i);
        sink(states.data(), now);
    }
    part(nullptr, 0, layout.states + arrays.count, layout.blocks);
    part(arrays.blocks, arrays.block_count * graph.width(1) * sizeof(Slot), layout.blocks, layout.end);
}

struct MappedGraph {
    HnswParams params;
    HnswGraph::Arrays arrays;
};

/// Reads the header of an image of `count` nodes and finds its parts.
/// Requires: image.data() is aligned to 64 bytes.
/// Throws: Errc::corrupt, Errc::unsupported_version; the text says which number is wrong and at which offset.
inline MappedGraph map_graph(const ImageBytes& image, Slot count) {
    const Held held = image.hold(0, graph_header_bytes);
    const auto* bytes = reinterpret_cast<const char*>(image.data());
    ByteReader reader(std::string_view(bytes, image.size()));
    std::string_view magic;
    std::uint32_t version = 0;
    MappedGraph mapped;
    if (!reader.bytes(graph_magic.size(), magic) || magic != graph_magic) {
        raise(Errc::corrupt, "graph image: no magic number at offset 0");
    }
    if (!reader.u32(version) || version != graph_version || std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "graph image: has version " + std::to_string(version) + ", this build reads " +
                                             std::to_string(graph_version));
    }
    HnswGraph::Arrays& arrays = mapped.arrays;
    HnswParams& params = mapped.params;
    if (!reader.u32(params.max_links) || !reader.u32(params.ef_construction) || !reader.u32(arrays.entry) ||
        !reader.u64(params.seed) || !reader.u32(arrays.count) || !reader.u32(arrays.block_count) ||
        image.size() < graph_header_bytes) {
        raise(Errc::corrupt, "graph image: ends at offset " + std::to_string(image.size()) + ", within its header");
    }
    if (params.max_links < HnswParams::fewest_links || params.max_links > HnswParams::most_links ||
        params.ef_construction == 0) {
        raise(Errc::corrupt, "graph image: impossible parameters at offset 12");
    }
    if (arrays.count != count) {
        raise(Errc::corrupt, "graph image: the count at offset 32 is " + std::to_string(arrays.count) + ", not " +
                                 std::to_string(count));
    }
    if (arrays.count == 0 ? arrays.entry != no_slot : arrays.entry >= arrays.count) {
        raise(Errc::corrupt, "graph image: the entry at offset 20 is slot " + std::to_string(arrays.entry) + " of " +
                                 std::to_string(arrays.count));
    }
    const GraphLayout layout = GraphLayout::of(params.max_links, arrays.count, arrays.block_count);
    if (image.size() != layout.end) {
        raise(Errc::corrupt, "graph image: holds " + std::to_string(image.size()) + " bytes, its header asks for " +
                                 std::to_string(layout.end));
    }
    arrays.bottom = reinterpret_cast<const Slot*>(bytes + layout.bottom);
    arrays.towers = reinterpret_cast<const std::uint32_t*>(bytes + layout.towers);
    arrays.states = reinterpret_cast<const std::uint8_t*>(bytes + layout.states);
    arrays.blocks = reinterpret_cast<const Slot*>(bytes + layout.blocks);
    arrays.residency = image.residency;
    return mapped;
}

}  // namespace kith::inline v0_single::detail

// kith/index/hnsw/insert.hpp — linking a node into an HNSW graph that others are reading.
//
// All neighbours of a node are found first, on every level. Then its own lists are stored, and only then do links to it
// appear, from the bottom up: whoever reaches the node on some level finds its lists complete from there down.
//
// Duplicates. A thousand equal vectors would fill each other's lists and drop off the graph together. So a node equal
// to one that is there gets no links of its own making: it copies the list of the other and is chained to it, as the
// first link of that list. A walk that reaches the first of them reaches them all; the upper levels never see them.
//
// Thread safety: any number of insert_node at once, beside searches; one list is written by one thread at a time.
// Source: Malkov & Yashunin, arXiv:1603.09320, Algorithm 1.

// kith/index/hnsw/prune.hpp — which of many near nodes are worth a link.
//
// A near node is dropped when a nearer one that is kept lies closer to it than the owner does: the walk gets there
// through that one. Distances dominate a build, and most of them are asked here, so they are asked in blocks: each node
// that is kept is scored at once against all that are still undecided. And a list that was pruned before is settled:
// two of its links have been compared, and need not be again.
//
// Thread safety: none; works on the caller's arrays.
// Source: Malkov & Yashunin, arXiv:1603.09320, Algorithm 4, without extending and without keeping pruned ones.

namespace kith::inline v0_single::detail {

/// Candidates that are looked at together. Far ones are often not needed at all, so not all at once.
inline constexpr std::size_t prune_chunk = 32;

/// Removes from `undecided` what lies nearer to `kept` than to the owner; returns how many stay.
/// Distances in candidates are to the owner; a mark means settled.
template <Rows R>
std::size_t drop_dominated(const R& rows, Candidate kept, std::span<Candidate> undecided,
                           ScratchMemory& scratch) noexcept {
    std::array<Slot, prune_chunk> slots;
    std::array<float, prune_chunk> distances;
    std::size_t asked = 0;
    for (const Candidate candidate : undecided) {
        slots[asked] = candidate.slot();
        asked += kept.marked() && candidate.marked() ? 0U : 1U;
    }
    if (asked == 0) return undecided.size();
    rows.scorer_of(kept.slot(), scratch).score(slots.data(), asked, distances.data());

    std::size_t stay = 0;
    asked = 0;
    for (const Candidate candidate : undecided) {
        const bool known = kept.marked() && candidate.marked();
        const bool dominated = !known && distances[asked] < candidate.distance();
        asked += known ? 0U : 1U;
        undecided[stay] = candidate;
        stay += dominated ? 0U : 1U;
    }
    return stay;
}

/// Writes at most `wanted` diverse ones of `nearest` to `kept`, nearest first, and returns how many.
/// Requires: `nearest` is sorted, its distances are to the owner, and two marked ones do not dominate each other.
/// Shape: `kept` has room for `wanted`.
template <Rows R>
std::size_t select_diverse(const R& rows, std::span<const Candidate> nearest, std::size_t wanted, Candidate* kept,
                           ScratchMemory& scratch) noexcept {
    std::array<Candidate, prune_chunk> chunk;
    std::size_t count = 0;
    for (std::size_t first = 0; first < nearest.size() && count < wanted; first += prune_chunk) {
        const std::span<const Candidate> next = nearest.subspan(first, std::min(prune_chunk, nearest.size() - first));
        std::copy(next.begin(), next.end(), chunk.begin());
        std::span<Candidate> undecided(chunk.data(), next.size());
        for (std::size_t i = 0; i < count && !undecided.empty(); ++i) {
            undecided = undecided.first(drop_dominated(rows, kept[i], undecided, scratch));
        }
        while (!undecided.empty() && count < wanted) {
            const Candidate chosen = undecided.front();
            kept[count++] = chosen;
            undecided = undecided.subspan(1);
            if (count < wanted) undecided = undecided.first(drop_dominated(rows, chosen, undecided, scratch));
        }
    }
    return count;
}

}  // namespace kith::inline v0_single::detail

// kith/index/hnsw/search.hpp — walking an HNSW graph towards a query.
//
// The walk is bound by cache misses, not by arithmetic, so it keeps many of them in flight. It expands a few of the
// nearest candidates at a time, drops the neighbours already met, and hands the rest to one kernel call, which fetches
// ahead. What enters the pool is expanded soon, so its links are fetched at once.
//
// Thread safety: reads only; any number at a time, beside a writer.
// Source: Malkov & Yashunin, arXiv:1603.09320, Algorithms 2 and 5; Al-Jazzazi et al., "Distance adaptive beam search
// for provably accurate graph-based nearest neighbor search", arXiv:2505.15636 (the horizon).

namespace kith::inline v0_single::detail {

/// Nodes that are expanded together. Some of them a stricter search would not have expanded, which finds a little more
/// for it; at equal recall, four answer 10 to 15 % more queries a second than one (100 to 784 dimensions).
inline constexpr std::size_t nodes_at_once = 4;

/// The neighbours of a few nodes on their way through a kernel.
struct NeighborBlock {
    static constexpr std::size_t most = nodes_at_once * 2 * HnswParams::most_links;

    std::array<Slot, most> slots;
    std::array<float, most> distances;
    std::size_t count = 0;

    template <Scorer S>
    void score(const S& scorer) noexcept {
        scorer.score(slots.data(), count, distances.data());
    }
};

/// Adds to `block` the neighbours of `node` but for `absent`.
inline void add_links(const HnswGraph& graph, unsigned level, Slot node, Slot bound, Slot absent,
                      NeighborBlock& block) noexcept {
    const Held held = graph.hold_links(&node, 1, level);
    const Slot* const links = graph.links(node, level);
    if (links == nullptr) return;
    for (std::size_t i = 0; i < graph.width(level); ++i) {
        const Slot slot = load_link(links + i);
        if (slot == no_slot) break;
        if (slot < bound && slot != absent) block.slots[block.count++] = slot;
    }
}

/// Moves greedily from `from` to a node on `level` with no nearer neighbour, never onto `absent`.
/// Requires: from.slot() is below `bound`, the graph's reach.
template <Scorer S>
Candidate descend(const HnswGraph& graph, const S& scorer, unsigned level, Candidate from, Slot bound,
                  Slot absent) noexcept {
    NeighborBlock block;
    for (bool moved = true; moved;) {
        moved = false;
        block.count = 0;
        add_links(graph, level, from.slot(), bound, absent, block);
        block.score(scorer);
        for (std::size_t i = 0; i < block.count; ++i) {
            const Candidate candidate(block.distances[i], block.slots[i]);
            if (candidate < from) {
                from = candidate;
                moved = true;
            }
        }
    }
    return from;
}

/// From the entry down to the node nearest to the query on level `last`, greedily.
/// Requires: entry is a node of the graph, below `bound`.
template <Scorer S>
Candidate descend_to(const HnswGraph& graph, const S& scorer, Slot entry, unsigned last, Slot bound,
                     Slot absent = no_slot) noexcept {
    float distance = 0;
    scorer.score(&entry, 1, &distance);
    Candidate nearest(distance, entry);
    for (unsigned level = graph.level_of(entry); level > last; --level) {
        nearest = descend(graph, scorer, level, nearest, bound, absent);
    }
    return nearest;
}

/// Adds to `block` the neighbours of `node` that this search has not met. Requires: its links are held.
inline void add_unmet(const HnswGraph& graph, unsigned level, Slot node, Slot bound, VisitedSet& visited,
                      NeighborBlock& block) noexcept {
    const Slot* const links = graph.links(node, level);
    if (links == nullptr) return;
    for (std::size_t i = 0; i < graph.width(level); ++i) {
        const Slot slot = load_link(links + i);
        if (slot == no_slot) break;
        if (slot >= bound) continue;
        block.slots[block.count] = slot;
        block.count += visited.insert(slot) ? 1U : 0U;
    }
}

/// Keeps the links in memory of those nodes that beam() expands next.
[[gnu::noinline, gnu::cold]] inline Held hold_next(const HnswGraph& graph, CandidatePool& pool, std::size_t next,
                                                   unsigned level) noexcept {
    std::array<Slot, nodes_at_once> nodes;
    std::size_t count = 0;
    for (; next < pool.size() && count < nodes_at_once; ++next) {
        if (!pool[next].marked()) nodes[count++] = pool[next].slot();
    }
    return graph.hold_links(nodes.data(), count, level);
}

/// Fills scratch.pool with the nodes on `level` nearest to the query, starting from `start`. With `Excluding` also those
/// that `allowed` excludes: they are walked through like others, but the horizon is that of the allowed, which
/// scratch.nearest holds.
/// Requires: scratch.pool is reset to the number wanted, scratch.visited cleared for `bound` slots; with `Excluding`,
/// scratch.nearest reset to horizon.count.
template <bool Excluding = false, Scorer S>
void beam(const HnswGraph& graph, const S& scorer, unsigned level, Candidate start, Slot bound, const Horizon& horizon,
          SearchScratch& scratch, BitsetView allowed = {}) noexcept {
    CandidatePool& pool = scratch.pool;
    CandidatePool& nearest = Excluding ? scratch.nearest : scratch.pool;
    const auto offer = [&](Candidate candidate) {
        const std::size_t at = pool.offer(candidate);
        if constexpr (Excluding) {
            if (at < pool.size() && allowed.allows(candidate.slot())) nearest.offer(candidate);
        }
        return at;
    };
    const auto reach = [&] { return std::min(pool.worst_distance(), nearest.reach(horizon)); };
    NeighborBlock block;
    scratch.visited.insert(start.slot());
    offer(start);
    std::size_t next = 0;  // everything before it is expanded
    float farthest = reach();
    while (next < pool.size() && !(pool[next].distance() > farthest)) {
        block.count = 0;
        {
            const Held held = graph.residency() == nullptr ? Held() : hold_next(graph, pool, next, level);
            for (std::size_t taken = 0; next < pool.size() && taken < nodes_at_once; ++next) {
                if (pool[next].marked()) continue;
                pool[next].mark();
                add_unmet(graph, level, pool[next].slot(), bound, scratch.visited, block);
                ++taken;
            }
        }
        block.score(scorer);
        for (std::size_t i = 0; i < block.count; ++i) {
            if (block.distances[i] > farthest) continue;
            const std::size_t at = offer(Candidate(block.distances[i], block.slots[i]));
            if (at == pool.size()) continue;
            if (level == 0) graph.prefetch_bottom(block.slots[i]);
            next = std::min(next, at);
            farthest = reach();
        }
    }
}

/// As beam on the bottom level, but walks through nodes that are not allowed without returning them: fills
/// scratch.pool with the nearest allowed nodes.
/// Requires: scratch.visited is cleared, scratch.pool reset to the number wanted, scratch.frontier empty with room for
/// `bound` elements.
template <Scorer S>
void filtered_beam(const HnswGraph& graph, const S& scorer, Candidate start, Slot bound, BitsetView allowed,
                   const Horizon& horizon, SearchScratch& scratch) noexcept {
    auto& frontier = scratch.frontier;
    CandidatePool& found = scratch.pool;
    NeighborBlock block;
    const auto reach = [&] { return std::min(found.worst_distance(), found.reach(horizon)); };
    float farthest = reach();
    const auto meet = [&](Candidate candidate) {
        if (candidate.distance() > farthest) return;
        if (found.full() && !(candidate.distance() < found.worst_distance())) return;
        frontier.push_back(candidate);
        std::push_heap(frontier.begin(), frontier.end(), std::greater<>());
        graph.prefetch_bottom(candidate.slot());
        if (!allowed.allows(candidate.slot())) return;
        found.offer(candidate);
        farthest = reach();
    };
    scratch.visited.insert(start.slot());
    meet(start);
    for (bool expanded = true; expanded;) {
        expanded = false;
        block.count = 0;
        std::array<Slot, nodes_at_once> nodes;
        std::size_t taken = 0;
        while (!frontier.empty() && taken < nodes_at_once) {
            const Candidate nearest = frontier.front();
            if (nearest.distance() > farthest) break;
            std::pop_heap(frontier.begin(), frontier.end(), std::greater<>());
            frontier.pop_back();
            nodes[taken++] = nearest.slot();
            expanded = true;
        }
        {
            const Held held = graph.hold_links(nodes.data(), taken, 0);
            for (std::size_t i = 0; i < taken; ++i) add_unmet(graph, 0, nodes[i], bound, scratch.visited, block);
        }
        block.score(scorer);
        for (std::size_t i = 0; i < block.count; ++i) meet(Candidate(block.distances[i], block.slots[i]));
    }
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

/// The memory one inserting thread works in.
struct InsertScratch {
    SearchScratch search;
    ScratchMemory other;              // a node's row, prepared, while search.query holds that of the new one
    std::vector<Candidate> nearest;   // the beam's pool, unmarked
    std::vector<Candidate> selected;  // what the node links to on each level, max_links apart
    std::vector<std::size_t> counts;  // how many on each level

    /// Bytes that reserve() makes room for. Scorers of prepared rows take a little more.
    [[nodiscard]] static std::size_t bytes_for(const HnswParams& params, Slot bound) noexcept {
        constexpr std::size_t levels = HnswGraph::highest_level + 1;
        return sizeof(InsertScratch) + VisitedSet::bytes_for(bound) +
               (2 * std::size_t{params.ef_construction} + params.max_links * levels) * sizeof(Candidate) +
               levels * sizeof(std::size_t);
    }

    /// Makes room, so that insert_node allocates nothing.
    void reserve(const HnswParams& params, Slot bound, unsigned levels) {
        search.visited.clear(bound);
        search.pool.reset(params.ef_construction);
        nearest.reserve(params.ef_construction);
        selected.resize(std::size_t{params.max_links} * levels);
        counts.resize(levels);
    }
};

/// Adds a link from `owner` to `added`, whose distance is to the owner; prunes the list when it is full.
template <Rows R>
void link_to(HnswGraph& graph, const R& rows, unsigned level, Slot owner, Candidate added,
             ScratchMemory& scratch) noexcept {
    HnswGraph::NodeState& state = graph.state(owner);
    const NodeGuard guard(&state.lock);
    Slot* links = graph.writable_links(owner, level);
    std::size_t width = graph.width(level);
    std::size_t settled = 0;
    if (level == 0) {  // a chained link stays where it is, whatever is pruned
        links += state.chained;
        width -= state.chained;
        settled = state.settled;
    }
    const std::size_t count = count_links(links, width);
    if (count < width) {
        store_link(links + count, added.slot());
        return;
    }
    std::array<Slot, 2 * HnswParams::most_links> slots;
    std::array<float, 2 * HnswParams::most_links> distances;
    std::array<Candidate, 2 * HnswParams::most_links + 1> candidates;
    std::array<Candidate, 2 * HnswParams::most_links> kept;
    for (std::size_t i = 0; i < count; ++i) slots[i] = load_link(links + i);
    rows.scorer_of(owner, scratch).score(slots.data(), count, distances.data());
    for (std::size_t i = 0; i < count; ++i) candidates[i] = Candidate(distances[i], slots[i], i < settled);
    candidates[count] = added.unmarked();
    std::sort(candidates.data(), candidates.data() + count + 1);
    const std::size_t diverse = select_diverse(rows, {candidates.data(), count + 1}, width, kept.data(), scratch);
    for (std::size_t i = 0; i < diverse; ++i) slots[i] = kept[i].slot();
    store_links(links, width, slots.data(), diverse);
    if (level == 0) state.settled = static_cast<std::uint8_t>(diverse);
}

/// Among the nearest of `slot`, one that scores as `slot` itself does, both ways: for every metric, an equal vector.
template <Rows R, Scorer S>
std::optional<Slot> find_duplicate(const R& rows, const S& scorer, Slot slot, const CandidatePool& pool,
                                   ScratchMemory& scratch) noexcept {
    float self = 0;
    scorer.score(&slot, 1, &self);
    // Usually the nearest of all; under InnerProduct longer vectors come before it.
    const Candidate* const at = std::lower_bound(pool.begin(), pool.end(), Candidate(self, 0));
    if (at == pool.end() || at->distance() != self) return std::nullopt;
    const Slot other = at->slot();
    float other_self = 0;
    rows.scorer_of(other, scratch).score(&other, 1, &other_self);
    return other_self == self ? std::optional(other) : std::nullopt;
}

/// Puts `slot` behind `original`, an equal vector: a copy of its bottom list, which then begins with a link to `slot`.
inline void chain_duplicate(HnswGraph& graph, Slot original, Slot slot) noexcept {
    HnswGraph::NodeState& state = graph.state(original);
    const NodeGuard guard(&state.lock);
    Slot* const links = graph.writable_links(original, 0);
    const std::size_t width = graph.width(0);
    const std::size_t count = count_links(links, width);
    store_links(graph.writable_links(slot, 0), width, links, count);
    graph.state(slot).chained = state.chained;
    graph.state(slot).settled = state.settled;
    if (state.chained == 0 && count > 0) {
        // The first link moves to the end; from a full list the last goes, which the copy still has.
        const std::size_t last = std::min(count, width - 1);
        store_link(links + last, load_link(links));
        if (state.settled > 0)
            state.settled = static_cast<std::uint8_t>(std::min<std::size_t>(state.settled, last) - 1);
    }
    store_link(links, slot);
    state.chained = 1;
}

/// Stores the links of `slot` on `level`: diverse ones among what the beam left in the pool.
template <Rows R>
void choose_links(HnswGraph& graph, const R& rows, Slot slot, unsigned level, InsertScratch& scratch) noexcept {
    const std::size_t wanted = graph.params().max_links;
    scratch.nearest.clear();
    for (const Candidate candidate : scratch.search.pool) scratch.nearest.push_back(candidate.unmarked());
    Candidate* const selected = scratch.selected.data() + level * wanted;
    const std::size_t count = select_diverse(rows, scratch.nearest, wanted, selected, scratch.other);
    scratch.counts[level] = count;
    Slot* const links = graph.writable_links(slot, level);
    for (std::size_t i = 0; i < count; ++i) store_link(links + i, selected[i].slot());
    if (level == 0) graph.state(slot).settled = static_cast<std::uint8_t>(count);
}

/// Links a node that add_nodes made. Nothing links to it yet.
/// Requires: scratch has room for this graph; the rows below `bound`, the graph's reach, are readable.
template <Rows R>
void insert_node(HnswGraph& graph, const R& rows, Slot slot, Slot bound, InsertScratch& scratch) noexcept {
    const unsigned level = graph.level_of(slot);
    Slot entry = graph.entry();
    std::unique_lock<std::mutex> entry_lock(graph.entry_mutex(), std::defer_lock);
    if (entry == no_slot || level > graph.level_of(entry)) {
        entry_lock.lock();  // one node at a time becomes the entry, and only once it is linked
        entry = graph.entry();
        if (entry == no_slot) {
            graph.set_entry(slot);
            return;
        }
    }
    const unsigned top = graph.level_of(entry);
    const unsigned highest = std::min(level, top);
    const auto scorer = rows.scorer_of(slot, scratch.search.query);
    SearchScratch& search = scratch.search;
    Candidate nearest = descend_to(graph, scorer, entry, highest, bound);
    for (unsigned at = highest;; --at) {
        search.visited.clear(bound);
        search.pool.reset(graph.params().ef_construction);
        beam(graph, scorer, at, nearest, bound, Horizon{}, search);
        nearest = search.pool.begin()->unmarked();
        if (at == 0) break;
        choose_links(graph, rows, slot, at, scratch);
    }
    if (const std::optional<Slot> original = find_duplicate(rows, scorer, slot, search.pool, scratch.other)) {
        chain_duplicate(graph, *original, slot);
        return;
    }
    choose_links(graph, rows, slot, 0, scratch);
    for (unsigned at = 0; at <= highest; ++at) {
        const Candidate* const selected = scratch.selected.data() + at * graph.params().max_links;
        for (std::size_t i = 0; i < scratch.counts[at]; ++i) {
            link_to(graph, rows, at, selected[i].slot(), Candidate(selected[i].distance(), slot), scratch.other);
        }
    }
    if (level > top) graph.set_entry(slot);
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

template <Rows R>
class HnswIndex {
public:
    /// An empty graph for up to `capacity` slots. Address space is reserved for all of them, memory is used as they
    /// come. Throws: Errc::invalid_argument (parameters out of range), Errc::limit_exceeded.
    HnswIndex(const HnswParams& params, Slot capacity) : graph_(params, capacity) {}

    /// The graph of `count` slots that save() wrote, over bytes that outlive it; it serves searches only.
    /// Requires: image.data() is aligned to 64 bytes.
    /// Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static HnswIndex map(const ImageBytes& image, Slot count) {
        return HnswIndex(detail::map_graph(image, count));
    }

    /// The first so many slots are in the graph.
    [[nodiscard]] Slot size() const noexcept { return graph_.size(); }

    [[nodiscard]] const HnswParams& params() const noexcept { return graph_.params(); }

    /// Links the slots from size() up to `count`. With one thread the graph depends on seed and rows alone.
    /// Requires: count is at most the capacity; those rows are readable and stay as they are.
    /// Throws: std::bad_alloc before anything is changed.
    /// Cost: about 3000 distances a slot with the usual parameters.
    void insert(const R& rows, Slot count, unsigned threads = 1) {
        const Slot first = graph_.size();
        if (count <= first) return;
        KITH_ASSERT(count <= graph_.capacity());
        if (threads == 0) threads = 1;
        if (inserters_.size() < threads) inserters_.resize(threads);
        constexpr unsigned levels = detail::HnswGraph::highest_level + 1;
        for (detail::InsertScratch& scratch : inserters_) {
            scratch.reserve(graph_.params(), count, levels);
            static_cast<void>(rows.scorer_of(first, scratch.search.query));  // their memory grows here, or nowhere
            static_cast<void>(rows.scorer_of(first, scratch.other));
        }

        graph_.add_nodes(count);
        const Slot alone = threads == 1 ? count : std::clamp(parallel_from, first, count);
        for (Slot slot = first; slot < alone; ++slot) {
            detail::insert_node(graph_, rows, slot, count, inserters_[0]);
            graph_.set_size(slot + 1);
        }
        if (alone < count) insert_parallel(rows, alone, count, threads);
    }

    /// Takes over the graph of `other`, over the same rows: later slots are linked into it as if it had grown here.
    /// False, and nothing has changed, where it has other parameters or is damaged.
    /// Requires: this is empty, with room for it.
    bool adopt(const R&, const HnswIndex& other) noexcept { return detail::adopt_graph(graph_, other.graph_); }

    /// The nearest allowed slots of the graph, nearest first, equal distances by slot; returns how many.
    /// Slots that are not linked yet are not returned, whatever is allowed.
    /// Shape: `query` holds rows.dim() elements, `out` has room for min(params.limit, size()).
    /// Throws: std::bad_alloc while `scratch` still grows.
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const {
        const Slot linked = graph_.size();
        const Slot entry = graph_.entry();
        const Slot bound = graph_.reach();
        const Slot returned = std::min(linked, params.allowed.count());
        const std::size_t limit = std::min<std::size_t>(params.limit, returned);
        if (limit == 0 || entry == no_slot) return 0;
        const std::size_t wanted = std::min<std::size_t>(std::max<std::size_t>(params.ef_search, limit), bound);
        scratch.visited.clear(bound);
        if (params.absent < bound) scratch.visited.insert(params.absent);

        const auto scorer = rows.scorer(query, scratch.query);
        const Candidate start = detail::descend_to(graph_, scorer, entry, 0, bound, params.absent);
        // The nearest alone says little of how far to look: a walk would end at the first that has no nearer neighbour.
        constexpr std::size_t fewest_stretched = 10;
        const std::size_t stretched = params.stretched == 0 ? limit : std::min(params.stretched, limit);
        const std::size_t last = std::min(std::max(stretched, fewest_stretched), wanted);
        const Horizon horizon{last, params.stretch, params.bound, (last + 1) / 2};
        const BitsetView allowed = params.allowed.first(returned);
        if (allowed.all() && returned == bound) {
            scratch.pool.reset(wanted);
            detail::beam(graph_, scorer, 0, start, bound, horizon, scratch);
        } else if (const Slot kept = allowed.count_allowed(); params.stretch > 0 && kept > bound / 2) {
            scratch.pool.reset(std::min<std::size_t>(bound, wanted * bound / kept));
            scratch.nearest.reset(last);
            detail::beam<true>(graph_, scorer, 0, start, bound, horizon, scratch, allowed);
        } else {
            scratch.pool.reset(wanted);
            scratch.frontier.clear();
            scratch.frontier.reserve(bound);
            detail::filtered_beam(graph_, scorer, start, bound, allowed, horizon, scratch);
        }
        std::size_t count = 0;
        for (const Candidate& candidate : scratch.pool) {
            if (count == limit) break;
            if (allowed.allows(candidate.slot())) out[count++] = candidate.neighbor();
        }
        return count;
    }

    /// Writes the image that map() reads. Requires: no insert runs.
    template <class Sink>
    void save(const Sink& sink) const {
        detail::save_graph(graph_, sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        const std::size_t inserter = detail::InsertScratch::bytes_for(graph_.params(), graph_.size());
        return graph_.memory_bytes() + inserters_.size() * inserter;
    }

    /// What `count` nodes take. Which of them are on higher levels is chance, which evens out.
    [[nodiscard]] static IndexSpace space(const HnswParams& params, Slot count) noexcept {
        const Slot blocks = count / (params.max_links - 1);
        return {detail::HnswGraph::memory_bytes_for(params, count, blocks) +
                    (count == 0 ? 0 : detail::InsertScratch::bytes_for(params, count)),
                detail::GraphLayout::of(params.max_links, count, blocks).end};
    }

private:
    /// Below this many nodes one thread links alone: in a tiny graph, threads would overlook each other's nodes.
    static constexpr Slot parallel_from = 1000;

    explicit HnswIndex(const detail::MappedGraph& mapped) : graph_(mapped.params, mapped.arrays) {}

    void insert_parallel(const R& rows, Slot first, Slot count, unsigned threads) {
        std::atomic<Slot> next = first;
        const auto work = [&](detail::InsertScratch& scratch) noexcept {
            for (Slot slot = next.fetch_add(1); slot < count; slot = next.fetch_add(1)) {
                detail::insert_node(graph_, rows, slot, count, scratch);
            }
        };
        std::vector<std::thread> others;
        // A thread that cannot be had is missed only in speed: those that run take its share.
        static_cast<void>(attempt([&] {
            others.reserve(threads - 1);
            for (unsigned i = 1; i < threads; ++i) others.emplace_back(work, std::ref(inserters_[i]));
        }));
        work(inserters_[0]);
        for (std::thread& other : others) other.join();
        graph_.set_size(count);
    }

    detail::HnswGraph graph_;
    std::vector<detail::InsertScratch> inserters_;  // one a thread of insert()
};

}  // namespace kith::inline v0_single

// kith/index/tags.hpp — the names by which a schema chooses an index.
//
// A tag says which index template serves a vector field and how one is made; it is never an object.

// kith/index/coded_index.hpp — an index over codes, whose best answers are compared again by their full vectors.
//
// Codes are what a search reads most, so they decide its speed; what they blur, the rescoring sets right. The index
// inside is any index over Rows: it does not know that its rows are codes.
//
// What codes depend on is learned from the first vectors, and again when there are four times as many: 1024, 4096,
// 16384, 65536. Then all are coded anew, while the index inside, who knows only which are near to which, stays as it
// is. Lessons come at these counts however vectors arrive, so that the same vectors make the same index. Before the
// first, nothing is coded, and who owns the index scans.
//
// Thread safety: insert is called by one thread at a time, beside any number of searches.

// kith/core/top_k.hpp — the nearest k of a stream of neighbours.
//
// An exact scan offers every row and keeps ten; almost all offers fail the one comparison with the worst kept, so
// that comparison is all they cost. The kept ones form a heap whose top is the worst.
//
// Thread safety: none; every searching thread owns its own.

namespace kith::inline v0_single {

class TopK {
public:
    /// Keeps its neighbours in `storage`, whose size is k.
    explicit TopK(std::span<Neighbor> storage) noexcept : storage_(storage) {}

    /// What a neighbour must be nearer than to be kept; infinite while there is room.
    [[nodiscard]] float worst_distance() const noexcept {
        if (size_ < storage_.size()) return std::numeric_limits<float>::infinity();
        return storage_.empty() ? -std::numeric_limits<float>::infinity() : storage_[0].distance;
    }

    /// Keeps `neighbor` if it is among the nearest k so far.
    void offer(Neighbor neighbor) noexcept {
        const auto begin = storage_.begin();
        if (size_ < storage_.size()) {
            storage_[size_++] = neighbor;
            std::push_heap(begin, begin + static_cast<std::ptrdiff_t>(size_));
        } else if (!storage_.empty() && neighbor < storage_[0]) {
            std::pop_heap(begin, storage_.end());
            storage_.back() = neighbor;
            std::push_heap(begin, storage_.end());
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Sorts what was kept, nearest first, and ends the use of this object.
    std::span<Neighbor> sorted() noexcept {
        const auto kept = storage_.first(size_);
        std::sort_heap(kept.begin(), kept.end());
        return kept;
    }

private:
    std::span<Neighbor> storage_;  // its first size_ elements are a heap, the farthest on top
    std::size_t size_ = 0;
};

}  // namespace kith::inline v0_single

// kith/index/code_memory.hpp — the codes of one vector field and the codec they were made with: in memory, or mapped.
//
//   image  = header codec codes                    each part begins at a multiple of 64 bytes, zeros between
//   header = magic:8 version:u32 dim:u32 count:u32 code_bytes:u32 codec_bytes:u64 name_bytes:u8 name
//            zeros up to 64
//   codec  = what Codec::save wrote
//   codes  = count codes of code_bytes, then 64 zeros: kernels read past the last
//
// All of it little-endian, codes mapped as they are. Whoever stores the image adds the checksum.
//
// Thread safety: one writer trains, then appends; rows that were appended before may be read by any thread.

// kith/index/resident_rows.hpp — rows that may have to be brought into memory before they are scored.
//
// A scorer is told which slots it is about to read, so it is the place where rows of a file are held: some at a time,
// so that the disk is asked for all of them at once and few need be in memory together. Rows that are in memory anyway
// cost one branch a call.
//
// Thread safety: as the rows and scorers inside.

namespace kith::inline v0_single::detail {

/// Where rows lie, and who brings them in.
struct RowsPlace {
    Residency* residency = nullptr;  // null: they are in memory
    const void* first = nullptr;     // row s begins s * stride bytes further
    std::size_t stride = 0;
    std::size_t read = 0;  // bytes that are read of a row; kernels may go past its end

    [[nodiscard]] Residency::Piece piece(Slot first_row, std::size_t rows = 1) const noexcept {
        return {static_cast<const std::byte*>(first) + first_row * stride, (rows - 1) * stride + read};
    }

    /// Rows that are held at once, of any place or one after the other.
    [[nodiscard]] std::size_t at_once() const noexcept {
        return std::clamp<std::size_t>(Residency::most_bytes / std::max<std::size_t>(read, 1), 1,
                                       Residency::most_pieces);
    }
    [[nodiscard]] std::size_t in_order_at_once() const noexcept {
        return std::max<std::size_t>(Residency::most_bytes / std::max(stride, read), 1);
    }
};

/// Calls act(first, count) for parts of `count` slots, whose rows are in memory while it runs.
template <class Act>
void each_held(const RowsPlace& place, const Slot* slots, std::size_t count, const Act& act) noexcept {
    std::array<Residency::Piece, Residency::most_pieces> pieces;
    const std::size_t at_once = place.at_once();
    for (std::size_t at = 0; at < count; at += at_once) {
        const std::size_t now = std::min(at_once, count - at);
        for (std::size_t i = 0; i < now; ++i) pieces[i] = place.piece(slots[at + i]);
        const Held held(*place.residency, std::span(pieces).first(now), Residency::Use::at_random);
        act(at, now);
    }
}

/// The same for the rows from `first` on, which follow each other.
template <class Act>
void each_held_in_order(const RowsPlace& place, Slot first, std::size_t count, const Act& act) noexcept {
    const std::size_t at_once = place.in_order_at_once();
    for (std::size_t at = 0; at < count; at += at_once) {
        const std::size_t now = std::min(at_once, count - at);
        const Residency::Piece piece = place.piece(first + static_cast<Slot>(at), now);
        const Held held(*place.residency, {&piece, 1}, Residency::Use::in_order);
        act(at, now);
    }
}

/// A Scorer whose rows are held while it reads them.
template <Scorer S>
class ResidentScorer {
public:
    ResidentScorer(const S& scorer, const RowsPlace& place) noexcept : scorer_(scorer), place_(place) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        if (place_.residency == nullptr) [[likely]] {
            scorer_.score(slots, count, out);
        } else {
            score_held(slots, count, out);
        }
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        if (place_.residency == nullptr) [[likely]] {
            scorer_.score_block(first, count, out);
        } else {
            score_block_held(first, count, out);
        }
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { scorer_.prefetch(slot); }

    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept
        requires requires(const S& scorer) { scorer.prefetch_scan(first, count); }
    {
        scorer_.prefetch_scan(first, count);
    }

private:
    [[gnu::noinline]] void score_held(const Slot* slots, std::size_t count, float* out) const noexcept {
        each_held(place_, slots, count,
                  [&](std::size_t at, std::size_t now) { scorer_.score(slots + at, now, out + at); });
    }

    [[gnu::noinline]] void score_block_held(Slot first, std::size_t count, float* out) const noexcept {
        each_held_in_order(place_, first, count, [&](std::size_t at, std::size_t now) {
            scorer_.score_block(first + static_cast<Slot>(at), now, out + at);
        });
    }

    S scorer_;
    RowsPlace place_;
};

/// Rows of any kind, in such a place.
template <Rows R>
class ResidentRows {
public:
    ResidentRows(const R& rows, const RowsPlace& place) noexcept : rows_(rows), place_(place) {}

    [[nodiscard]] std::size_t dim() const noexcept { return rows_.dim(); }

    [[nodiscard]] auto scorer(const float* query, ScratchMemory& scratch) const {
        return ResidentScorer(rows_.scorer(query, scratch), place_);
    }
    [[nodiscard]] auto scorer_of(Slot slot, ScratchMemory& scratch) const {
        return ResidentScorer(rows_.scorer_of(slot, scratch), place_);
    }

private:
    R rows_;
    RowsPlace place_;
};

}  // namespace kith::inline v0_single::detail

// kith/quantize/codec.hpp — what a quantizer is: a tag a schema can name, and the codec it trains for a metric.
//
// A codec turns a vector into a code of a fixed number of bytes, and codes in a row into Rows that any index searches.
// What it learned (a mean, a rotation, codebooks) it writes into a few bytes, from which it is read again.
//
// Thread safety: a codec that is trained is only read.

namespace kith::inline v0_single {

/// What a codec of some dimension takes, before it is trained: each code, the parameters in a file, and in memory.
/// What depends on the vectors it is trained with is the most it can be.
struct CodecSpace {
    std::size_t code_bytes = 0;
    std::size_t saved_bytes = 0;
    std::size_t held_bytes = 0;  ///< besides the codec object itself
};

/// A Codec is trained for one metric and one dimension.
/// Shape:  code s of many begins at codes + s · code_bytes(), a multiple of 4, and nothing outside its code_bytes() is
///         looked at, so an encoded row is one run of bytes. `codes` is aligned to 4. The 64 bytes behind the last code
///         must be readable: kernels load whole registers and ignore what is beyond the code.
/// Laws:   encode is deterministic and finite for every finite vector (all zero, constant and huge ones too);
///         load(save) encodes and scores the same to the last bit, on every instruction set up to the rounding of sums.
///         decode(encode(v)) comes near v (Cosine: near v / ‖v‖). Under Cosine a vector of zeros is at about 1 from
///         everything, as it is by the metric itself.
/// Throws: train: Errc::invalid_argument for fewer than fewest_vectors(dim) rows or a dimension the codec cannot take,
///         in a sentence with both numbers; Errc::cancelled. load: Errc::corrupt, unsupported_version.
template <class C>
concept Codec = requires(const C& codec, MatrixView sample, const Training& training, const float* vector, float* out,
                         std::byte* code, const std::byte* codes, std::size_t dim, ScratchMemory& scratch,
                         ByteWriter& writer, ByteReader& reader) {
    { C::fewest_vectors(dim) } -> std::same_as<std::size_t>;
    { C::space(dim) } -> std::same_as<CodecSpace>;  // dim is one that it can take
    { C::train(sample, training) } -> std::same_as<C>;
    { C::load(reader, dim) } -> std::same_as<C>;
    { codec.save(writer) } -> std::same_as<void>;
    { codec.dim() } noexcept -> std::same_as<std::size_t>;
    { codec.code_bytes() } noexcept -> std::same_as<std::size_t>;
    { codec.encode(vector, code, scratch) } -> std::same_as<void>;  // allocates only while `scratch` grows
    { codec.decode(code, out) } -> std::same_as<void>;              // may allocate: no search does it
    { codec.rows(codes) } noexcept -> Rows;                         // a view of codes
};

/// Whether `Tag`, a quantizer or an index, can be for vectors of `dim` elements. Those for which some cannot be say so
/// themselves, in a static fits(dim).
template <class Tag>
[[nodiscard]] constexpr bool fits_dimension(std::size_t dim) noexcept {
    if constexpr (requires { Tag::fits(dim); }) return Tag::fits(dim);
    return true;
}

/// A Quantizer is a tag: `name` is stored on disk, `Codec<M>` is its codec for metric M. `rescore` is how many times
/// the wanted number of neighbours are compared again by their full vectors unless a search says otherwise.
template <class Q, class M>
concept Quantizer = requires {
    { Q::name } -> std::convertible_to<std::string_view>;
    { Q::rescore } -> std::convertible_to<float>;
} && Codec<typename Q::template Codec<M>>;

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

template <class Q, class M>
class CodeMemory {
public:
    using Codec = typename Q::template Codec<M>;
    using View = ResidentRows<decltype(std::declval<const Codec&>().rows(nullptr))>;

    explicit CodeMemory(Slot capacity) noexcept : capacity_(capacity) {}

    /// The codes that save() wrote, over bytes that outlive this; `used` is set to the bytes they take.
    /// Requires: image.data() is aligned to 64 bytes. Throws: Errc::corrupt, Errc::unsupported_version.
    CodeMemory(const ImageBytes& image, Slot count, std::size_t& used)
        : capacity_(count), size_(count), residency_(image.residency) {
        const std::string_view bytes(reinterpret_cast<const char*>(image.data()), image.size());
        const Header header = [&] {
            const Held held = image.hold(0, header_bytes);
            return read_header(bytes, count);
        }();
        const Held held = image.hold(header_bytes, header.codec_bytes);
        ByteReader reader(bytes.substr(header_bytes, header.codec_bytes));
        load(reader, header.dim);
        if (reader.remaining() != 0) raise(Errc::corrupt, "code image: its codec ends before the codes begin");
        if (codec_->code_bytes() != header.code_bytes) raise(Errc::corrupt, "code image: its codes have another size");
        codes_ = image.data() + header.codes_at;
        used = header.end;
    }

    [[nodiscard]] bool trained() const noexcept { return codec_.has_value(); }
    [[nodiscard]] Slot size() const noexcept { return size_; }

    /// Requires: trained().
    [[nodiscard]] const Codec& codec() const noexcept { return *codec_; }
    [[nodiscard]] View view() const noexcept { return {codec_->rows(codes_), place()}; }

    /// Learns from `sample`, once. Throws: what Codec::train throws; nothing has changed then.
    void train(MatrixView sample, const Training& training) {
        Codec codec = Codec::train(sample, training);
        memory_ = ReservedMemory(codec.code_bytes() * capacity_ + code_padding);
        codes_ = memory_.data();
        codec_.emplace(std::move(codec));
    }

    /// Learns what `other` has learned and copies its codes. Requires: nothing was learned here; there is room for them.
    /// Throws: for want of memory; nothing has changed then.
    void adopt(const CodeMemory& other) {
        KITH_ASSERT(!trained() && other.trained() && other.size_ <= capacity_);
        Codec codec = other.codec();
        memory_ = ReservedMemory(codec.code_bytes() * capacity_ + code_padding);
        copy_held(other.residency_, memory_.data(), other.codes_, codec.code_bytes() * other.size_);
        codes_ = memory_.data();
        codec_.emplace(std::move(codec));
        size_ = other.size_;
    }

    /// Encodes the vectors of `rows` from size() up to `count`; the same codes with any number of threads.
    /// Requires: trained(), not mapped, count is at most the capacity.
    /// Throws: for want of memory; size() is then as before.
    template <class R>
    void append(const R& rows, Slot count, unsigned threads) {
        if (count <= size_) return;
        KITH_ASSERT(count <= capacity_ && memory_.data() != nullptr);
        struct Bench {
            ScratchMemory scratch;
            std::vector<float> floats;
        };
        std::vector<Bench> benches(std::max(threads, 1U));
        constexpr Slot piece = 512;
        share_work(threads, (std::size_t{count} - size_ + piece - 1) / piece, [&](std::size_t at, unsigned thread) {
            Bench& bench = benches[thread];
            bench.floats.resize(rows.dim());
            const Slot first = size_ + static_cast<Slot>(at) * piece;
            for (Slot slot = first; slot < std::min(count, first + piece); ++slot) {
                std::byte* const code = memory_.data() + codec_->code_bytes() * slot;
                codec_->encode(rows.floats(slot, bench.floats.data()), code, bench.scratch);
            }
        });
        size_ = count;
    }

    /// Bytes of memory that the codec holds and codes were written to.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        std::size_t bytes = sizeof(*this);
        if (codec_) bytes += Codec::space(codec_->dim()).held_bytes;
        if (memory_.data() != nullptr) bytes += codec_->code_bytes() * size_;
        return bytes;
    }
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        const CodecSpace codec = Codec::space(dim);
        const std::uint64_t codes = std::uint64_t{codec.code_bytes} * count;
        return {sizeof(CodeMemory) + codec.held_bytes + codes,
                header_bytes + aligned(codec.saved_bytes) + aligned(codes + code_padding)};
    }

    /// Bytes of the image. Requires: trained().
    template <class Sink>
    void save(const Sink& sink) const {
        std::string parameters;
        ByteWriter parameter_writer(parameters);
        codec_->save(parameter_writer);
        std::string header;
        ByteWriter writer(header);
        writer.bytes(magic);
        writer.u32(version);
        writer.u32(static_cast<std::uint32_t>(codec_->dim()));
        writer.u32(size_);
        writer.u32(static_cast<std::uint32_t>(codec_->code_bytes()));
        writer.u64(parameters.size());
        writer.u8(static_cast<std::uint8_t>(Q::name.size()));
        writer.bytes(Q::name);
        KITH_ASSERT(header.size() <= header_bytes);
        header.resize(header_bytes);
        parameters.resize(aligned(parameters.size()));
        const std::size_t bytes = codec_->code_bytes() * size_;
        const std::string zeros(aligned(bytes + code_padding) - bytes, '\0');
        sink(header.data(), header.size());
        sink(parameters.data(), parameters.size());
        sink(codes_, bytes);
        sink(zeros.data(), zeros.size());
    }

private:
    /// A dimension that the codec cannot take is a caller's mistake where it is trained, and damage here.
    void load(ByteReader& reader, std::size_t dim) {
        const std::exception_ptr failed = attempt([&] { codec_.emplace(Codec::load(reader, dim)); });
        if (failed == nullptr) return;
        const std::optional<Error> error = as_error(failed);
        if (error.has_value() && error->code() == Errc::invalid_argument) {
            raise(Errc::corrupt, std::string("code image: ") + error->what());
        }
        std::rethrow_exception(failed);
    }

    /// Kernels read past the last code, so no code is held without what follows it.
    [[nodiscard]] RowsPlace place() const noexcept {
        return {residency_, codes_, codec_->code_bytes(), codec_->code_bytes() + code_padding};
    }

    static constexpr std::string_view magic = "kithcode";  // on disk
    static constexpr std::uint32_t version = 1;            // on disk
    static constexpr std::size_t header_bytes = 64;        // on disk
    static constexpr std::size_t code_padding = 64;        // on disk: kernels may read so many bytes past the codes

    static constexpr std::size_t aligned(std::size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }

    struct Header {
        std::uint32_t dim = 0, count = 0, code_bytes = 0;
        std::uint64_t codec_bytes = 0;
        std::size_t codes_at = 0, end = 0;
    };

    static Header read_header(std::string_view bytes, Slot count) {
        Header header;
        ByteReader reader(bytes);
        std::string_view found_magic, name;
        std::uint32_t found_version = 0;
        std::uint8_t name_bytes = 0;
        if (!reader.bytes(magic.size(), found_magic) || found_magic != magic) {
            raise(Errc::corrupt, "code image: no magic number at offset 0");
        }
        if (!reader.u32(found_version) || found_version != version || std::endian::native != std::endian::little) {
            raise(Errc::unsupported_version, "code image: has version " + std::to_string(found_version) +
                                                 ", this build reads " + std::to_string(version));
        }
        if (!reader.u32(header.dim) || !reader.u32(header.count) || !reader.u32(header.code_bytes) ||
            !reader.u64(header.codec_bytes) || !reader.u8(name_bytes) || !reader.bytes(name_bytes, name) ||
            bytes.size() < header_bytes) {
            raise(Errc::corrupt, "code image: ends within its header");
        }
        if (name != Q::name) {
            raise(Errc::corrupt,
                  "code image: holds codes of " + std::string(name) + ", not of " + std::string(Q::name));
        }
        if (header.count != count) {
            raise(Errc::corrupt, "code image: the count at offset 16 is " + std::to_string(header.count) + ", not " +
                                     std::to_string(count));
        }
        const std::size_t room = bytes.size() - header_bytes;
        header.codes_at = header_bytes + aligned(header.codec_bytes);
        const std::size_t code_bytes = aligned(std::size_t{header.code_bytes} * count + code_padding);
        header.end = header.codes_at + code_bytes;
        if (header.codec_bytes > room || header.end > bytes.size()) {
            raise(Errc::corrupt, "code image: holds " + std::to_string(bytes.size()) + " bytes, its header asks for " +
                                     std::to_string(header.end));
        }
        return header;
    }

    std::optional<Codec> codec_;
    Slot capacity_;
    Slot size_ = 0;                     // codes written
    ReservedMemory memory_;             // empty when the codes are mapped
    const std::byte* codes_ = nullptr;  // code s begins at codes_ + s * code_bytes()
    Residency* residency_ = nullptr;    // of mapped codes, where someone brings them in
};

}  // namespace kith::inline v0_single::detail

// kith/index/flat_batch.hpp — the exact answers to many queries, from one pass over the rows.
//
// One query alone is as fast as the memory brings rows. For a batch a block of rows is brought near once and met by
// every query, pair by pair or, where rows are floats of any width, as a product of two matrices.
//
// Thread safety: reads only; each thread brings its own scratch.

// kith/distance/cpu.hpp — which instruction sets this processor has, and which one to use.
//
// The compiler's own probe does not know every feature in every version we support, and one that says "AVX-512" must
// also have asked whether the operating system saves its registers. So the processor is asked here, in its own words.
// The environment variable KITH_ISA overrides the choice: tests run every set, and a user can rule one out.
//
// Thread safety: any number of threads, as long as none changes the environment meanwhile.
// Source: Intel SDM volume 2A (CPUID) and volume 1, sections 14.3 and 15.2 (detecting AVX and AVX-512).

// kith/distance/isa.hpp — the instruction sets that kernels are written for.

namespace kith::inline v0_single {

/// An instruction set. Later ones of one processor family include earlier ones, and every processor has `scalar`.
enum class Isa : std::uint8_t {
    scalar,       ///< plain C++, as good as the compiler's flags allow
    avx2,         ///< x86-64 with AVX2, FMA and F16C
    avx512,       ///< x86-64 with AVX-512 F, BW, CD, DQ and VL
    avx512_vnni,  ///< with VNNI, VPOPCNTDQ, BITALG and VBMI too: Ice Lake, Zen 4 and later
    neon,         ///< AArch64, which always has it
    neon_dot,     ///< AArch64 with the dot product of bytes: Cortex-A76, Apple M1 and later
};

/// Every instruction set, the plainest first.
inline constexpr Isa all_isas[] = {Isa::scalar, Isa::avx2, Isa::avx512, Isa::avx512_vnni, Isa::neon, Isa::neon_dot};

/// The name of an instruction set, as KITH_ISA spells it.
constexpr std::string_view name(Isa isa) noexcept {
    switch (isa) {
        case Isa::scalar:
            return "scalar";
        case Isa::avx2:
            return "avx2";
        case Isa::avx512:
            return "avx512";
        case Isa::avx512_vnni:
            return "avx512_vnni";
        case Isa::neon:
            return "neon";
        case Isa::neon_dot:
            return "neon_dot";
    }
    return "unknown";
}

}  // namespace kith::inline v0_single

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace kith::inline v0_single {

namespace detail {

#if defined(__x86_64__)

struct CpuidAnswer {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

inline CpuidAnswer cpuid(std::uint32_t leaf, std::uint32_t subleaf) noexcept {
    CpuidAnswer answer;
    __asm__ volatile("cpuid"
                     : "=a"(answer.eax), "=b"(answer.ebx), "=c"(answer.ecx), "=d"(answer.edx)
                     : "a"(leaf), "c"(subleaf));
    return answer;
}

/// The register sets the operating system saves when it switches threads (XCR0).
/// Requires: the processor says OSXSAVE.
inline std::uint32_t saved_registers() noexcept {
    std::uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

inline bool has_x86(Isa isa) noexcept {
    constexpr std::uint32_t fma = 1U << 12, osxsave = 1U << 27, avx = 1U << 28, f16c = 1U << 29;  // leaf 1, ecx
    constexpr std::uint32_t avx2 = 1U << 5;                                                       // leaf 7, ebx
    constexpr std::uint32_t avx512 = 1U << 16 | 1U << 17 | 1U << 28 | 1U << 30 | 1U << 31;        // F, DQ, CD, BW, VL
    constexpr std::uint32_t newer =
        1U << 1 | 1U << 11 | 1U << 12 | 1U << 14;  // leaf 7, ecx: VBMI, VNNI, BITALG, VPOPCNTDQ
    constexpr std::uint32_t xmm = 1U << 1, ymm = 1U << 2, masks = 1U << 5, zmm = 1U << 6 | 1U << 7;  // XCR0
    const auto has = [](std::uint32_t word, std::uint32_t bits) { return (word & bits) == bits; };

    if (cpuid(0, 0).eax < 7 || !has(cpuid(1, 0).ecx, fma | osxsave | avx | f16c)) return false;
    const std::uint32_t saved = saved_registers();
    const CpuidAnswer features = cpuid(7, 0);
    if (!has(saved, xmm | ymm) || !has(features.ebx, avx2)) return false;
    if (isa == Isa::avx2) return true;
    if (!has(saved, masks | zmm) || !has(features.ebx, avx512)) return false;
    return isa == Isa::avx512 || has(features.ecx, newer);
}

#elif defined(__aarch64__)

/// True when the processor has SDOT and UDOT.
inline bool has_dot_product() noexcept {
#if defined(__APPLE__)
    return true;  // every processor that macOS for AArch64 runs on
#elif defined(__linux__)
    constexpr unsigned long dot_product = 1UL << 20;  // HWCAP_ASIMDDP
    return (::getauxval(AT_HWCAP) & dot_product) != 0;
#else
    return false;
#endif
}

#endif

}  // namespace detail

/// True when this processor and its operating system can run code for `isa`.
/// Cost: the first call asks the processor, which takes some 100 µs in a virtual machine; others remember.
[[nodiscard]] inline bool supports(Isa isa) noexcept {
#if defined(__x86_64__)
    static const bool has_avx2 = detail::has_x86(Isa::avx2), has_avx512 = detail::has_x86(Isa::avx512),
                      has_avx512_vnni = detail::has_x86(Isa::avx512_vnni);
    return isa == Isa::scalar || (isa == Isa::avx2 && has_avx2) || (isa == Isa::avx512 && has_avx512) ||
           (isa == Isa::avx512_vnni && has_avx512_vnni);
#elif defined(__aarch64__)
    return isa == Isa::scalar || isa == Isa::neon || (isa == Isa::neon_dot && detail::has_dot_product());
#else
    return isa == Isa::scalar;
#endif
}

/// The instruction set that `wish` names, or the best there is when `wish` is empty.
/// Throws: Errc::invalid_argument when no set has that name or this processor lacks it.
[[nodiscard]] inline Isa isa_for(std::string_view wish) {
    Isa best = Isa::scalar;
    std::string names;
    for (const Isa isa : all_isas) {
        if (!supports(isa)) continue;
        if (name(isa) == wish) return isa;
        best = isa;
        names.append(names.empty() ? "" : ", ").append(name(isa));
    }
    if (wish.empty()) return best;
    raise(Errc::invalid_argument, "KITH_ISA is \"" + std::string(wish) + "\", but this processor has only: " + names);
}

/// The instruction set to make an index with: the one KITH_ISA names, or the best this processor has.
/// Throws: Errc::invalid_argument when KITH_ISA names none that this processor has.
/// Cost: reads the environment and compares names; call it once an index.
[[nodiscard]] inline Isa best_isa() {
    const char* wish = std::getenv("KITH_ISA");
    return isa_for(wish == nullptr ? std::string_view() : std::string_view(wish));
}

}  // namespace kith::inline v0_single

// kith/index/batch_query.hpp — one query of a batch, and how rows come to it: a block at a time, near when it is met.
//
// Thread safety: none; a batch belongs to one thread.

namespace kith::inline v0_single::detail {

/// Rows that are met at once: whole tiles of every kernel, and near with the products beside them.
inline constexpr std::size_t batch_rows = 96;

/// What was asked, and what was found so far.
template <Scorer S>
struct BatchQuery {
    S scorer;
    TopK best;
    float length = 0;  // ‖query‖ where products are made; infinite where they may rule out nothing
};

/// True when the slots, which rise, have none between them.
inline bool in_a_row(const Slot* slots, std::size_t count) noexcept {
    return slots[count - 1] - slots[0] == count - 1;
}

/// Meets rows with queries by scoring every pair: what any Rows can do.
template <Scorer S>
class PairBatch {
public:
    explicit PairBatch(std::span<BatchQuery<S>> queries) noexcept : queries_(queries) {}

    /// Offers `count` rows, at most batch_rows, to each query. Shape: `slots` rises.
    void meet(const Slot* slots, std::size_t count) noexcept {
        float distances[batch_rows];
        for (BatchQuery<S>& query : queries_) {
            if (in_a_row(slots, count)) {
                query.scorer.score_block(slots[0], count, distances);
            } else {
                query.scorer.score(slots, count, distances);
            }
            for (std::size_t i = 0; i < count; ++i) {
                if (!(distances[i] > query.best.worst_distance())) query.best.offer({distances[i], slots[i]});
            }
        }
    }

private:
    std::span<BatchQuery<S>> queries_;
};

}  // namespace kith::inline v0_single::detail

// kith/index/product_batch.hpp — a batch of queries against vectors, by the product of two matrices.
//
// From ⟨q, r⟩ follows the distance, with ‖q‖² and ‖r‖² where it is L2's; but not to the last bit, and so it only tells
// which rows cannot be among the nearest. The few others are scored as for one query.
//
// What a product may be wrong by: a sum of n terms in floats, in any order, is within n · 2⁻²⁴ / (1 − n · 2⁻²⁴) of
// Σ |qᵢ rᵢ| ≤ ‖q‖ ‖r‖. That and the error of the score itself are allowed for; a row or a query whose square comes near
// the ends of what floats hold is never ruled out.
//
// Thread safety: none; a batch belongs to one thread.
// Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2nd edition, section 3.1 (the bound).

// kith/distance/dispatch.hpp — the kernels of a metric for an instruction set, chosen once an index.
//
// A program that links the compiled unit gets the kernels written for the set. A header-only program gets the portable
// ones, which are as good as its own flags, whatever the set.

// kith/distance/code_kernels.hpp — distances between vectors of a byte, or half of one, an element, each with a scale.
//
// A code of 8 bits stands for scale · (code − 128) in each element, one of 4 bits for scale · (code − 8). Any metric
// between two such vectors is a sum of what each knows of itself, its offset, and the product of their scales with an
// integer dot product. So one kernel serves them all, and integers make it exact: the few floats are rounded in the
// same order everywhere, so a distance is the same on every processor.
//
// A query always has 8 bits an element. Rows of 4 bits hold 128 elements in 64 bytes, element i in the low half of
// byte i, element i + 64 in the high half, so that unpacking is a mask and a shift; what is left over at the end,
// r elements, is split in the same way in (r + 1) / 2 bytes.
//
// This header stays free of everything but types, as kernels.hpp does.

namespace kith::inline v0_single {

/// The longest vector whose integer sums fit 32 bits: 255 · 127 a term.
inline constexpr std::size_t longest_coded_row = 65536;

/// A query, prepared.
/// Shape: `codes` holds the elements as signed bytes, −127 to 127, zeros up to a multiple of 128 behind them. For rows
///        of 4 bits those of the last, incomplete block stand at 0 and at 64 of it, as the halves of its bytes do.
struct CodeQuery {
    const std::int8_t* codes = nullptr;
    float scale = 0;
    float offset = 0;
    std::int32_t bias = 0;  ///< 128 · Σ codes, or 8 · Σ codes: what rows add to each sum by never being negative
};

/// What stands behind the codes of a row.
struct CodeTail {
    float scale = 0;
    float offset = 0;
};

/// The kernels of one width and one instruction set.
/// Requires: dim is at least 1 and at most longest_coded_row.
/// Shape:  row s begins at rows + s · stride: its codes, a CodeTail at CodeShape<bits>::tail_at(dim). Up to 63 bytes
///         past its codes are read and ignored, which the memory must allow. `out` has room for `count` distances,
///         (query.offset + row.offset) + (query.scale · row.scale) · (Σ query_i · row_i − bias).
/// Laws:   as Kernels<T>: the same to the last bit in both shapes and whatever rows stand beside it; distances and
///         encoded vectors are the same on every instruction set.
struct CodeKernels {
    using Slots = void (*)(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                           const Slot* slots, std::size_t count, float* out) noexcept;
    using Block = void (*)(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                           std::size_t count, float* out) noexcept;
    /// Writes (vector_i · factor − mean_i) / scale, rounded, one signed byte an element. The scale puts the largest at
    /// `steps`, and is returned; 0, with all codes 0, where every element equals the mean.
    using Encode = float (*)(const float* vector, float factor, const float* mean, std::size_t dim, float steps,
                             std::int8_t* codes) noexcept;

    Slots slots = nullptr;
    Block block = nullptr;
    Encode encode = nullptr;
};

namespace detail {

/// Where things lie in a row. Always inline, so that no source leaves a copy with its own instructions.
template <unsigned bits>
struct CodeShape {
    static_assert(bits == 8 || bits == 4);
    static constexpr std::int32_t zero = bits == 8 ? 128 : 8;   // the code that stands for 0
    static constexpr std::int32_t steps = bits == 8 ? 127 : 7;  // codes reach so far to either side of it
    static constexpr std::size_t block = bits == 8 ? 64 : 128;  // elements in 64 bytes

    [[gnu::always_inline]] static constexpr std::size_t bytes(std::size_t dim) noexcept {
        return bits == 8 ? dim : dim / 128 * 64 + (dim % 128 + 1) / 2;
    }
    [[gnu::always_inline]] static constexpr std::size_t tail_at(std::size_t dim) noexcept {
        return (bytes(dim) + alignof(CodeTail) - 1) / alignof(CodeTail) * alignof(CodeTail);
    }
    [[gnu::always_inline]] static constexpr std::size_t row_bytes(std::size_t dim) noexcept {
        return tail_at(dim) + sizeof(CodeTail);
    }
    /// The place of element i among the codes of a query.
    [[gnu::always_inline]] static constexpr std::size_t query_at(std::size_t i, std::size_t dim) noexcept {
        const std::size_t whole = dim / 128 * 128;
        const std::size_t half = (dim - whole + 1) / 2;
        return bits == 8 || i < whole + half ? i : i - half + 64;
    }
};

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/distance/fast_scan.hpp — sums of table entries for 32 vectors at a time, looked up inside registers.
//
// A code of 4 bits names one of 16 entries, and 16 bytes are what a byte shuffle looks up. So the codes of 32 vectors
// stand side by side, the tables are rounded to 7 bits, and a block of 32 sums comes out without a load from a table.
//
//   block   = codes, then offsets or bounds
//   codes   = pairs × 32 bytes, pairs even: byte v of pair p has code 2p of vector v in its low 4 bits, code 2p + 1
//             above
//   offsets = u16 little-endian for each of the 32: what a vector adds by itself, before it is shifted
//   bounds  = bias:f32 × 32, scale:f32 × 32, error:f32 × 32, of which a lower bound of a distance is made
//   tables  = for each two pairs p and p + 1, 128 bytes: table 2p twice, table 2p + 2 twice, 2p + 1 twice, 2p + 3 twice
//
// A byte of a block belongs to one vector, so a vector may be written while the block's others are searched.
//
// This header stays free of everything but types, as kernels.hpp does and for the same reason.
// Source: André, Kermarrec & Le Scouarnec, "Accelerated nearest neighbor search with Quick ADC", arXiv:1704.07355;
// Douze et al., "The Faiss library", arXiv:2401.08281, section 5.

namespace kith::inline v0_single {

/// How blocks are laid out. On disk: never change.
struct FastScanLayout {
    static constexpr std::size_t vectors = 32;  ///< of one block
    static constexpr std::size_t words = 16;    ///< entries of a table
    static constexpr unsigned most = 127;       ///< an entry: two of them are added in a byte

    [[nodiscard, gnu::always_inline]] static constexpr std::size_t pairs(std::size_t subvectors) noexcept {
        return (subvectors + 3) / 4 * 2;
    }
    [[nodiscard, gnu::always_inline]] static constexpr std::size_t code_bytes(std::size_t pairs) noexcept {
        return pairs * vectors;
    }
    [[nodiscard, gnu::always_inline]] static constexpr std::size_t block_bytes(std::size_t pairs) noexcept {
        return code_bytes(pairs) + vectors * sizeof(std::uint16_t);
    }
    [[nodiscard, gnu::always_inline]] static constexpr std::size_t bounded_block_bytes(std::size_t pairs) noexcept {
        return code_bytes(pairs) + 3 * vectors * sizeof(float);
    }
    [[nodiscard, gnu::always_inline]] static constexpr std::size_t table_bytes(std::size_t pairs) noexcept {
        return pairs * 64;
    }
};

/// What a scan is given besides the blocks.
struct FastScanQuery {
    const std::uint8_t* tables = nullptr;  // aligned to 64 bytes
    std::size_t pairs = 0;                 // even
    unsigned shift = 0;                    // of the offsets, to the right; below 16
};

/// What makes a total t of a vector the lower bound bias − scale · (low + unit · t) − error · reach.
struct FastScanBounds {
    float unit = 1;
    float low = 0;
    float reach = 0;
    float limit = 0;  // bounds above it are not named; what is no number is
};

struct FastScanKernels {
    /// Rounds `count` tables of 16 floats: out holds entry − lows[m], times `inverse`, to the nearest, ties to even.
    /// Requires: 0 ≤ (entry − low) · inverse < 127.5 for all. Shape: `out` has room for table_bytes(pairs(count)).
    using Round = void (*)(const float* tables, std::size_t count, const float* lows, float inverse,
                           std::uint8_t* out) noexcept;

    /// lows[m] is the least entry of table m; returns nothing else but the widest range and the sum of the ranges.
    using Ranges = void (*)(const float* tables, std::size_t count, float* lows, float* widest, float* sum) noexcept;

    /// Adds up the entries of each of `count` vectors in blocks that follow each other, and its offset, and names those
    /// whose total is at most `threshold`; returns how many.
    /// Requires: no total passes 65535.
    /// Shape: `positions` and `totals` have room for `count`, rounded up to whole blocks.
    using Scan = std::size_t (*)(const FastScanQuery& query, const std::byte* blocks, std::size_t count,
                                 std::uint16_t threshold, std::uint32_t* positions, std::uint16_t* totals) noexcept;

    /// The same over blocks with bounds: names those whose bound is not above the limit. No offset is added.
    /// Laws: as the scan, but for the last bit of a bound.
    using ScanBounds = std::size_t (*)(const FastScanQuery& query, const FastScanBounds& bounds,
                                       const std::byte* blocks, std::size_t count, std::uint32_t* positions,
                                       float* found) noexcept;

    Round round = nullptr;
    Ranges ranges = nullptr;
    Scan scan = nullptr;
    ScanBounds scan_bounds = nullptr;
};

}  // namespace kith::inline v0_single

// kith/distance/hamming.hpp — in how many bits two vectors differ.

namespace kith::inline v0_single {

/// The number of dimensions in which the bits differ. Score: the same number, smaller is nearer.
struct Hamming {
    static constexpr std::string_view name = "hamming";  // on disk: never rename
    static constexpr bool needs_either = false;

    [[gnu::always_inline]] static constexpr float of_counts(std::uint32_t differing, std::uint32_t) noexcept {
        return static_cast<float>(differing);
    }

    /// The truth that kernels are measured against. Shape: `dim` counts elements of eight bits.
    static float distance(const Bits8* a, const Bits8* b, std::size_t dim) noexcept {
        std::uint32_t differing = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            differing += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned>(a[i].bits ^ b[i].bits)));
        }
        return of_counts(differing, 0);
    }

    static constexpr float score(float distance) noexcept { return distance; }
};

static_assert(BitMetric<Hamming, Bits8>);

}  // namespace kith::inline v0_single

// kith/distance/jaccard.hpp — how much of what either of two sets holds is not in both.

namespace kith::inline v0_single {

/// 1 − |a ∩ b| / |a ∪ b|, the bits being members of sets: 0 for equal sets, empty ones too, and 1 for sets that share
/// nothing. Score: the Jaccard similarity, larger is nearer.
struct Jaccard {
    static constexpr std::string_view name = "jaccard";  // on disk: never rename
    static constexpr bool needs_either = true;

    /// Both counts are floats without rounding, so the quotient is rounded once and the same on every processor.
    [[gnu::always_inline]] static constexpr float of_counts(std::uint32_t differing, std::uint32_t either) noexcept {
        return either == 0 ? 0.0F : static_cast<float>(differing) / static_cast<float>(either);
    }

    /// The truth that kernels are measured against. Shape: `dim` counts elements of eight bits.
    static float distance(const Bits8* a, const Bits8* b, std::size_t dim) noexcept {
        std::uint32_t both = 0, either = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            both += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned>(a[i].bits & b[i].bits)));
            either += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned>(a[i].bits | b[i].bits)));
        }
        return either == 0 ? 0.0F
                           : static_cast<float>(static_cast<double>(either - both) / static_cast<double>(either));
    }

    static constexpr float score(float distance) noexcept { return 1.0F - distance; }
};

static_assert(BitMetric<Jaccard, Bits8>);

}  // namespace kith::inline v0_single

// kith/distance/kernels.hpp — the two shapes of a kernel: one query against gathered rows, or against a block of them.
//
// This header stays free of everything but types and what is always inline: the sources that are built for one
// instruction set include it, and any other function in it could come out of them with instructions an older processor
// lacks.

namespace kith::inline v0_single {

/// The longest row, in elements, whose integer sums fit the 32 bits kernels sum in: 255² a term. Longer rows of
/// integers and bits are for whoever refuses them.
inline constexpr std::size_t longest_integer_row = 65536;

/// The kernels of one metric, one element type and one instruction set.
/// Requires: dim is at least 1, and at most longest_integer_row for integers and bits; stride is at least dim.
/// Shape:  `query` holds dim elements; row s begins at rows + s · stride, in elements; nothing past its dim elements is
///         read. Neither needs to be aligned beyond what its type asks for. `out` has room for `count` distances.
/// Laws:   a row's distance is the same to the last bit in both shapes and whatever rows stand beside it; symmetric to
///         the last bit in query and row, where the query is the row's elements as floats when it is made of those.
///         Over integers and bits the sum is exact and rounded once, so it is the same on every instruction set too.
template <class T>
struct Kernels {
    /// Scores rows[slots[0]], …, rows[slots[count - 1]], prefetching ahead.
    using Slots = void (*)(const QueryElement<T>* query, const T* rows, std::size_t stride, std::size_t dim,
                           const Slot* slots, std::size_t count, float* out) noexcept;
    /// Scores rows 0 to count - 1.
    using Block = void (*)(const QueryElement<T>* query, const T* rows, std::size_t stride, std::size_t dim,
                           std::size_t count, float* out) noexcept;

    Slots slots = nullptr;
    Block block = nullptr;
};

namespace detail {

/// How many gathered rows are fetched ahead of the one being scored: a row comes from memory in the time it takes to
/// score a few long ones or many short ones. Measured at 64 to 256 bytes a row: a fifth to a third more than 8 rows
/// ahead; 192 lines bring no more, and from 256 bytes on less.
[[gnu::always_inline]] constexpr std::size_t rows_ahead(std::size_t row_bytes) noexcept {
    constexpr std::size_t lines_ahead = 96;
    constexpr std::size_t fewest = 8;
    const std::size_t rows = lines_ahead / ((row_bytes + 63) / 64);
    return rows < fewest ? fewest : rows;
}

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/distance/portable.hpp — kernels in plain C++, as fast as the compiler's flags allow.
//
// Header-only programs use these, and so does the compiled unit where a processor has nothing better. A float sum may
// not be reordered by the compiler, so the loop keeps many sums side by side, which is an order it can turn into
// vectors.
//
// Each kernel carries the flags of the source it was compiled in, as a template argument. Two sources built with
// different flags then hold different functions, and the linker cannot hand the AVX-512 one to the source that was
// built without.

namespace kith::inline v0_single {

namespace detail {

template <unsigned features>
struct BuildFlags {};

/// The instruction sets the compiler may use in the source that includes this header, a bit each.
consteval unsigned build_features() noexcept {
    unsigned features = 0;
#ifdef __SSE4_2__
    features |= 1U << 0;
#endif
#ifdef __AVX__
    features |= 1U << 1;
#endif
#ifdef __AVX2__
    features |= 1U << 2;
#endif
#ifdef __FMA__
    features |= 1U << 3;
#endif
#ifdef __AVX512F__
    features |= 1U << 4;
#endif
#ifdef __AVX512VL__
    features |= 1U << 5;
#endif
#ifdef __AVX512DQ__
    features |= 1U << 6;
#endif
#ifdef __AVX512VNNI__
    features |= 1U << 8;
#endif
#ifdef __ARM_FEATURE_DOTPROD
    features |= 1U << 9;
#endif
#ifdef __ARM_FEATURE_SVE
    features |= 1U << 7;
#endif
#ifdef __POPCNT__
    features |= 1U << 10;
#endif
#ifdef __F16C__
    features |= 1U << 11;
#endif
#ifdef __AVX512BW__
    features |= 1U << 12;
#endif
#ifdef __AVX512VPOPCNTDQ__
    features |= 1U << 13;
#endif
    return features;
}

using ThisBuild = BuildFlags<build_features()>;

/// The distance of one row of floats, of four bytes or two.
template <class M, class T, class Flags>
    requires SumMetric<M, T> && std::same_as<QueryElement<T>, float>
float portable_distance(const float* a, const T* b, std::size_t dim) noexcept {
    const auto term = [&](std::size_t i) { return M::term(a[i], static_cast<float>(b[i])); };
    // Four registers of SSE. With 32 lanes g++ 12 is 2 to 4 times slower below 128 elements.
    constexpr std::size_t lanes = 16;
    constexpr std::size_t short_lanes = 4;
    float sums[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= dim; i += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += term(i + lane);
    }
    float short_sums[short_lanes] = {};
    for (; i + short_lanes <= dim; i += short_lanes) {
        for (std::size_t lane = 0; lane < short_lanes; ++lane) short_sums[lane] += term(i + lane);
    }
    float rest = 0;
    for (; i < dim; ++i) rest += term(i);

    for (std::size_t half = lanes / 2; half >= short_lanes; half /= 2) {
        for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    }
    for (std::size_t lane = 0; lane < short_lanes; ++lane) sums[lane] += short_sums[lane];
    return ((sums[0] + sums[2]) + (sums[1] + sums[3])) + rest;
}

/// The distance of one row of integers. Their sum may be reordered, so the compiler needs no help.
template <class M, class T, class Flags>
    requires SumMetric<M, T> && std::integral<T>
float portable_distance(const T* a, const T* b, std::size_t dim) noexcept {
    constexpr std::size_t longest = 32768;  // terms that a sum of 32 bits holds
    std::int64_t total = 0;
    for (std::size_t begin = 0; begin < dim; begin += longest) {
        const std::size_t end = begin + longest < dim ? begin + longest : dim;
        std::int32_t sum = 0;
        for (std::size_t i = begin; i < end; ++i) sum += M::term(std::int32_t{a[i]}, std::int32_t{b[i]});
        total += sum;
    }
    return static_cast<float>(total);
}

/// The bits set in a word, by the processor's instruction where the build has one.
template <class Flags>
[[gnu::always_inline]] inline std::uint64_t portable_popcount(std::uint64_t word) noexcept {
#if defined(__POPCNT__) || defined(__aarch64__)
    return static_cast<std::uint64_t>(std::popcount(word));
#else
    // Without it std::popcount is a call that looks tables up. Source: Warren, Hacker's Delight, section 5-1.
    word -= (word >> 1) & 0x5555555555555555U;
    word = (word & 0x3333333333333333U) + ((word >> 2) & 0x3333333333333333U);
    word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fU;
    return (word * 0x0101010101010101U) >> 56;
#endif
}

template <class M, class T, class Flags>
    requires BitMetric<M, T>
float portable_distance(const T* a, const T* b, std::size_t dim) noexcept {
    std::uint64_t differing = 0, either = 0;
    const auto count = [&](std::size_t at, std::size_t bytes) {
        std::uint64_t first = 0, second = 0;
        std::memcpy(&first, a + at, bytes);
        std::memcpy(&second, b + at, bytes);
        differing += portable_popcount<Flags>(first ^ second);
        if constexpr (M::needs_either) either += portable_popcount<Flags>(first | second);
    };
    constexpr std::size_t word = sizeof(std::uint64_t);
    std::size_t i = 0;
    for (; i + word <= dim; i += word) count(i, word);
    if (i < dim) count(i, dim - i);
    return M::of_counts(static_cast<std::uint32_t>(differing), static_cast<std::uint32_t>(either));
}

template <class M, class T, class Flags>
void portable_slots(const QueryElement<T>* query, const T* rows, std::size_t stride, std::size_t dim, const Slot* slots,
                    std::size_t count, float* out) noexcept {
    const std::size_t ahead = rows_ahead(dim * sizeof(T));
    constexpr std::size_t elements_a_line = 64 / sizeof(T);
    constexpr std::size_t longest = 16 * elements_a_line;  // the processor's own prefetcher follows from there
    const std::size_t fetched = dim < longest ? dim : longest;
    for (std::size_t i = 0; i < count + ahead; ++i) {
        if (i < count) {
            const T* row = rows + slots[i] * stride;
            for (std::size_t element = 0; element < fetched; element += elements_a_line) {
                __builtin_prefetch(row + element);
            }
        }
        if (i >= ahead) out[i - ahead] = portable_distance<M, T, Flags>(query, rows + slots[i - ahead] * stride, dim);
    }
}

template <class M, class T, class Flags>
void portable_block(const QueryElement<T>* query, const T* rows, std::size_t stride, std::size_t dim, std::size_t count,
                    float* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) out[i] = portable_distance<M, T, Flags>(query, rows + i * stride, dim);
}

template <class M, class T, class Flags>
constexpr Kernels<T> portable_kernels() noexcept {
    return {portable_slots<M, T, Flags>, portable_block<M, T, Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/distance/portable_codes.hpp — the code kernels in plain C++, as fast as the compiler's flags allow.
//
// As in portable.hpp, each function carries the flags of the source it was compiled in. The library's sources forbid
// the compiler to make one rounding of a product and a sum (-ffp-contract=off), so they make the same codes on every
// processor; a header-only program gets the same ones where its flags forbid that too, or allow no such instruction.

// kith/core/prefetch.hpp — asking for memory before it is read.
//
// Always inline: GCC 12 drops calls of functions that do nothing else.

namespace kith::inline v0_single::detail {

inline constexpr std::size_t cache_line = 64;

/// Begins to fetch the lines of [from, from + bytes).
[[gnu::always_inline]] inline void prefetch_lines(const void* from, std::size_t bytes) noexcept {
    for (std::size_t at = 0; at < bytes; at += cache_line) __builtin_prefetch(static_cast<const char*>(from) + at);
}

/// Begins to fetch a row of `bytes` bytes. Only the beginning of a long one: the processor follows from there.
template <std::size_t lines = 8>
[[gnu::always_inline]] inline void prefetch_row(const void* row, std::size_t bytes) noexcept {
    constexpr std::size_t longest = lines * cache_line;
    prefetch_lines(row, bytes < longest ? bytes : longest);
}

/// So many lines for kernels, which ask for a row long before they read it.
inline constexpr std::size_t lines_ahead_of_kernels = 16;

/// For a scan that is about to read `bytes` bytes at `from`: begins to fetch what it will read a little later.
///
/// Rows that are scored side by side are several streams, which the processor follows at two thirds of the memory's
/// speed (measured: 27 GB/s of codes of 392 bytes, 47 so). Those longer than `longest_scanned` are scored one by one.
[[gnu::always_inline]] inline void prefetch_scan(const void* from, std::size_t bytes) noexcept {
    constexpr std::size_t ahead = 8192;
    prefetch_lines(static_cast<const char*>(from) + ahead, bytes);
}
inline constexpr std::size_t longest_scanned = 1024;

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

namespace detail {

/// Puts an integer sum on the metric's scale.
template <unsigned bits, class Flags>
float finish_code(const CodeQuery& query, const std::uint8_t* row, std::size_t dim, std::int32_t sum) noexcept {
    CodeTail tail;
    std::memcpy(&tail, row + CodeShape<bits>::tail_at(dim), sizeof(tail));
    return (query.offset + tail.offset) + (query.scale * tail.scale) * static_cast<float>(sum - query.bias);
}

template <unsigned bits, class Flags>
float portable_code_distance(const CodeQuery& query, const std::uint8_t* row, std::size_t dim) noexcept {
    std::int32_t sum = 0;
    if constexpr (bits == 8) {
        for (std::size_t i = 0; i < dim; ++i) sum += std::int32_t{query.codes[i]} * std::int32_t{row[i]};
    } else {
        const std::size_t bytes = CodeShape<bits>::bytes(dim);
        for (std::size_t first = 0; first < bytes; first += 64) {
            const std::int8_t* const codes = query.codes + 2 * first;
            const std::size_t count = bytes - first < 64 ? bytes - first : 64;
            for (std::size_t i = 0; i < count; ++i) {
                sum += codes[i] * (row[first + i] & 15) + codes[i + 64] * (row[first + i] >> 4);
            }
        }
    }
    return finish_code<bits, Flags>(query, row, dim, sum);
}

/// How many rows ahead of the one being scored are fetched: as many as make 192 lines, which keeps every miss the core
/// can have in flight. With 12 rows, a graph over short rows (128 elements of 4 bits) answered 30 % fewer queries a
/// second.
template <unsigned bits>
[[gnu::always_inline]] inline std::size_t codes_ahead(std::size_t dim) noexcept {
    constexpr std::size_t lines_ahead = 192;
    constexpr std::size_t fewest_rows = 8;
    const std::size_t rows = lines_ahead / ((CodeShape<bits>::row_bytes(dim) + 63) / 64);
    return rows < fewest_rows ? fewest_rows : rows;
}

/// Begins to fetch a row that will soon be scored.
template <unsigned bits, class Flags>
[[gnu::always_inline]] inline void fetch_code(const std::uint8_t* row, std::size_t dim) noexcept {
    prefetch_row<lines_ahead_of_kernels>(row, CodeShape<bits>::row_bytes(dim));
}

template <unsigned bits, class Flags>
void portable_code_slots(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                         const Slot* slots, std::size_t count, float* out) noexcept {
    const std::size_t ahead = codes_ahead<bits>(dim);
    for (std::size_t i = 0; i < count + ahead; ++i) {
        if (i < count) fetch_code<bits, Flags>(rows + slots[i] * stride, dim);
        if (i < ahead) continue;
        out[i - ahead] = portable_code_distance<bits, Flags>(query, rows + slots[i - ahead] * stride, dim);
    }
}

template <unsigned bits, class Flags>
void portable_code_block(const CodeQuery& query, const std::uint8_t* rows, std::size_t stride, std::size_t dim,
                         std::size_t count, float* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = portable_code_distance<bits, Flags>(query, rows + i * stride, dim);
    }
}

template <class Flags>
float portable_code_encode(const float* vector, float factor, const float* mean, std::size_t dim, float steps,
                           std::int8_t* codes) noexcept {
    const auto size = [&](std::size_t i) {
        const float centred = vector[i] * factor - mean[i];
        return centred < 0 ? -centred : centred;
    };
    constexpr std::size_t lanes = 16;  // the largest of each lane, so that the compiler may use registers
    float largest[lanes] = {};
    float most = 0;
    std::size_t at = 0;
    for (; at + lanes <= dim; at += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            const float next = size(at + lane);
            largest[lane] = largest[lane] < next ? next : largest[lane];
        }
    }
    for (; at < dim; ++at) most = most < size(at) ? size(at) : most;
    for (const float next : largest) most = most < next ? next : most;

    constexpr float finite = 1e38F;
    constexpr float tiny = 1e-30F;  // its inverse is finite
    const float scale = (most < finite ? most : finite) / steps;
    const float inverse = scale > tiny ? 1 / scale : 0;
    for (std::size_t i = 0; i < dim; ++i) {
        float step = (vector[i] * factor - mean[i]) * inverse;
        step = step < -steps ? -steps : step;
        step = step > steps ? steps : step;
        // What is cast is positive, so cutting it rounds to the nearest.
        codes[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(step + 128.5F) - 128);
    }
    return inverse > 0 ? scale : 0;
}

template <unsigned bits, class Flags>
constexpr CodeKernels portable_code_kernels() noexcept {
    return {portable_code_slots<bits, Flags>, portable_code_block<bits, Flags>, portable_code_encode<Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/distance/portable_fast_scan.hpp — the kernels of fast_scan.hpp in plain C++: the truth the others must meet.
//
// As portable.hpp: each carries the flags of the source it was compiled in.

namespace kith::inline v0_single {

namespace detail {

/// Where table m begins among the tables of a scan; it is there twice, 16 bytes apart.
template <class Flags>
constexpr std::size_t portable_table_at(std::size_t m) noexcept {
    return m / 4 * 128 + m % 2 * 64 + m / 2 % 2 * 32;
}

template <class Flags>
void portable_ranges(const float* tables, std::size_t count, float* lows, float* widest, float* sum) noexcept {
    *widest = 0;
    *sum = 0;
    for (std::size_t m = 0; m < count; ++m) {
        float low = tables[m * 16], high = low;
        for (std::size_t k = 1; k < 16; ++k) {
            const float entry = tables[m * 16 + k];
            low = entry < low ? entry : low;
            high = entry > high ? entry : high;
        }
        lows[m] = low;
        const float range = high - low;
        *widest = range > *widest ? range : *widest;
        *sum += range;
    }
}

template <class Flags>
void portable_round(const float* tables, std::size_t count, const float* lows, float inverse,
                    std::uint8_t* out) noexcept {
    for (std::size_t m = 0; m < count; ++m) {
        std::uint8_t* to = out + portable_table_at<Flags>(m);
        for (std::size_t k = 0; k < 16; ++k) {
            to[k] = static_cast<std::uint8_t>(std::lrint((tables[m * 16 + k] - lows[m]) * inverse));
        }
        std::memcpy(to + 16, to, 16);
    }
    for (std::size_t m = count; m % 4 != 0; ++m) std::memset(out + portable_table_at<Flags>(m), 0, 32);
}

/// Adds the entries of a block's vectors to `sums`.
template <class Flags>
void portable_add_entries(const FastScanQuery& query, const std::byte* block, unsigned* sums) noexcept {
    for (std::size_t pair = 0; pair < query.pairs; ++pair) {
        const std::uint8_t* low = query.tables + portable_table_at<Flags>(2 * pair);
        const std::uint8_t* high = query.tables + portable_table_at<Flags>(2 * pair + 1);
        const auto* codes = reinterpret_cast<const std::uint8_t*>(block + pair * FastScanLayout::vectors);
        for (std::size_t v = 0; v < FastScanLayout::vectors; ++v) {
            sums[v] += static_cast<unsigned>(low[codes[v] & 15]) + high[codes[v] >> 4];
        }
    }
}

template <class Flags>
std::size_t portable_scan(const FastScanQuery& query, const std::byte* blocks, std::size_t count,
                          std::uint16_t threshold, std::uint32_t* positions, std::uint16_t* totals) noexcept {
    constexpr std::size_t vectors = FastScanLayout::vectors;
    std::size_t kept = 0;
    for (std::size_t first = 0; first < count; first += vectors) {
        unsigned sums[vectors] = {};
        portable_add_entries<Flags>(query, blocks, sums);
        const auto* offsets = reinterpret_cast<const std::uint8_t*>(blocks + FastScanLayout::code_bytes(query.pairs));
        for (std::size_t v = 0; v < vectors && first + v < count; ++v) {
            const unsigned offset = offsets[2 * v] | static_cast<unsigned>(offsets[2 * v + 1]) << 8;
            const unsigned total = sums[v] + (offset >> query.shift);
            positions[kept] = static_cast<std::uint32_t>(first + v);
            totals[kept] = static_cast<std::uint16_t>(total);
            kept += total <= threshold ? 1U : 0U;
        }
        blocks += FastScanLayout::block_bytes(query.pairs);
    }
    return kept;
}

template <class Flags>
std::size_t portable_scan_bounds(const FastScanQuery& query, const FastScanBounds& bounds, const std::byte* blocks,
                                 std::size_t count, std::uint32_t* positions, float* found) noexcept {
    constexpr std::size_t vectors = FastScanLayout::vectors;
    std::size_t kept = 0;
    for (std::size_t first = 0; first < count; first += vectors) {
        unsigned sums[vectors] = {};
        portable_add_entries<Flags>(query, blocks, sums);
        float numbers[3][vectors];
        std::memcpy(numbers, blocks + FastScanLayout::code_bytes(query.pairs), sizeof(numbers));
        for (std::size_t v = 0; v < vectors && first + v < count; ++v) {
            const float product = bounds.low + bounds.unit * static_cast<float>(sums[v]);
            const float bound = numbers[0][v] - numbers[1][v] * product - numbers[2][v] * bounds.reach;
            positions[kept] = static_cast<std::uint32_t>(first + v);
            found[kept] = bound;
            kept += bound > bounds.limit ? 0U : 1U;
        }
        blocks += FastScanLayout::bounded_block_bytes(query.pairs);
    }
    return kept;
}

template <class Flags>
constexpr FastScanKernels portable_fast_scan_kernels() noexcept {
    return {portable_round<Flags>, portable_ranges<Flags>, portable_scan<Flags>, portable_scan_bounds<Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/distance/portable_products.hpp — the kernels of products.hpp in plain C++.
//
// As portable.hpp: each carries the flags of the source it was compiled in.

// kith/distance/products.hpp — the inner products of many vectors with many others, as k-means and codebooks ask for.
//
// One vector against many reads each of the many once from memory and uses it once. A few rows at a time against a
// panel of vectors uses what it reads a dozen times, so the arithmetic units are the limit and not the memory.
//
// This header stays free of everything but types, as kernels.hpp does and for the same reason.

namespace kith::inline v0_single {

/// Vectors that stand in panels: `panel` of them side by side, element d of all of them in a row, so that element d of
/// vector v is at panels[(v / panel · dim + d) · panel + v % panel]. The last panel is filled up with zeros.
struct ProductKernels {
    /// out[r · out_stride + v] is the inner product of row r and vector v, fillers among them.
    /// Shape: rows begin at rows + r · stride; `panels` holds panel_count panels of dim elements.
    /// Laws:  a product is the same to the last bit whichever other rows are asked about.
    using Products = void (*)(const float* rows, std::size_t stride, std::size_t count, const float* panels,
                              std::size_t panel_count, std::size_t dim, float* out, std::size_t out_stride) noexcept;

    /// The first v with the least half_norms[v] − products[v], which is half the squared distance less what all share.
    /// What is no number is not the least; where nothing is below infinity, v is 0 and the least infinite.
    /// Requires: count is a positive multiple of `panel`.
    using Nearest = std::uint32_t (*)(const float* products, const float* half_norms, std::size_t count,
                                      float* least) noexcept;

    /// Inner products of the pieces of one vector with the words of each piece's codebook:
    /// out[m · words + k] = Σ vector[m · sub_dim + d] · codebooks[(m · sub_dim + d) · words + k].
    /// Requires: words is a multiple of 16.
    using Words = void (*)(const float* vector, const float* codebooks, std::size_t subvectors, std::size_t sub_dim,
                           std::size_t words, float* out) noexcept;

    /// The first k with the least half_norms[m · words + k] − (the product above), for each piece m, as Nearest says.
    using NearestWords = void (*)(const float* vector, const float* codebooks, const float* half_norms,
                                  std::size_t subvectors, std::size_t sub_dim, std::size_t words,
                                  std::uint8_t* out) noexcept;

    /// Writes where products[r · stride + v] · scales[r] − shifts[r] is not below least[v]: the numbers r · stride + v,
    /// rising; returns how many. What is no number is not below anything.
    /// Requires: count is a multiple of `panel`. Shape: `at` has room for rows · count.
    using Reached = std::size_t (*)(const float* products, std::size_t stride, std::size_t rows, const float* scales,
                                    const float* shifts, const float* least, std::size_t count,
                                    std::uint32_t* at) noexcept;

    std::size_t panel = 0;
    Products products = nullptr;
    Nearest nearest = nullptr;
    Words words = nullptr;
    NearestWords nearest_words = nullptr;
    Reached reached = nullptr;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

namespace detail {

inline constexpr std::size_t portable_panel = 16;

/// Four floats in a register of every processor that has any. Left to find them in loops over arrays of sums, g++ 12
/// puts the sums in memory, at a fifth of the speed.
using FourFloats [[gnu::vector_size(16)]] = float;

/// `rows` rows against one panel.
template <class Flags, std::size_t rows>
void portable_product_tile(const float* from, std::size_t stride, const float* panel, std::size_t dim, float* out,
                           std::size_t out_stride) noexcept {
    constexpr std::size_t parts = portable_panel / 4;
    FourFloats sums[rows][parts];
#pragma GCC unroll 8
    for (std::size_t row = 0; row < rows; ++row) {
#pragma GCC unroll 8
        for (std::size_t part = 0; part < parts; ++part) sums[row][part] = FourFloats{};
    }
    for (std::size_t d = 0; d < dim; ++d) {
        FourFloats elements[parts];
#pragma GCC unroll 8
        for (std::size_t part = 0; part < parts; ++part) {
            std::memcpy(&elements[part], panel + d * portable_panel + part * 4, sizeof(FourFloats));
        }
#pragma GCC unroll 8
        for (std::size_t row = 0; row < rows; ++row) {
            const float element = from[row * stride + d];
#pragma GCC unroll 8
            for (std::size_t part = 0; part < parts; ++part) sums[row][part] += element * elements[part];
        }
    }
#pragma GCC unroll 8
    for (std::size_t row = 0; row < rows; ++row) {
#pragma GCC unroll 8
        for (std::size_t part = 0; part < parts; ++part) {
            std::memcpy(out + row * out_stride + part * 4, &sums[row][part], sizeof(FourFloats));
        }
    }
}

template <class Flags>
void portable_products(const float* rows, std::size_t stride, std::size_t count, const float* panels,
                       std::size_t panel_count, std::size_t dim, float* out, std::size_t out_stride) noexcept {
    constexpr std::size_t tile = 2;
    for (std::size_t at = 0; at < panel_count; ++at) {
        const float* panel = panels + at * portable_panel * dim;
        std::size_t row = 0;
        for (; row + tile <= count; row += tile) {
            portable_product_tile<Flags, tile>(rows + row * stride, stride, panel, dim,
                                               out + row * out_stride + at * portable_panel, out_stride);
        }
        for (; row < count; ++row) {
            portable_product_tile<Flags, 1>(rows + row * stride, stride, panel, dim,
                                            out + row * out_stride + at * portable_panel, out_stride);
        }
    }
}

template <class Flags>
std::uint32_t portable_nearest(const float* products, const float* half_norms, std::size_t count,
                               float* least) noexcept {
    std::uint32_t nearest = 0;
    float best = __builtin_inff();
    for (std::size_t i = 0; i < count; ++i) {
        const float score = half_norms[i] - products[i];
        if (score < best) {
            best = score;
            nearest = static_cast<std::uint32_t>(i);
        }
    }
    *least = best;
    return nearest;
}

template <class Flags>
void portable_words(const float* vector, const float* codebooks, std::size_t subvectors, std::size_t sub_dim,
                    std::size_t words, float* out) noexcept {
    constexpr std::size_t lanes = 16;
    for (std::size_t m = 0; m < subvectors; ++m) {
        for (std::size_t first = 0; first < words; first += lanes) {
            float sums[lanes] = {};
            for (std::size_t d = 0; d < sub_dim; ++d) {
                const float element = vector[m * sub_dim + d];
                const float* word = codebooks + (m * sub_dim + d) * words + first;
                for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += element * word[lane];
            }
            for (std::size_t lane = 0; lane < lanes; ++lane) out[m * words + first + lane] = sums[lane];
        }
    }
}

template <class Flags>
void portable_nearest_words(const float* vector, const float* codebooks, const float* half_norms,
                            std::size_t subvectors, std::size_t sub_dim, std::size_t words,
                            std::uint8_t* out) noexcept {
    float products[256];
    for (std::size_t m = 0; m < subvectors; ++m) {
        portable_words<Flags>(vector + m * sub_dim, codebooks + m * sub_dim * words, 1, sub_dim, words, products);
        float least = 0;
        out[m] = static_cast<std::uint8_t>(portable_nearest<Flags>(products, half_norms + m * words, words, &least));
    }
}

template <class Flags>
std::size_t portable_reached(const float* products, std::size_t stride, std::size_t rows, const float* scales,
                             const float* shifts, const float* least, std::size_t count, std::uint32_t* at) noexcept {
    constexpr std::size_t lanes = portable_panel;
    std::size_t found = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t first = 0; first < count; first += lanes) {
            const float* product = products + row * stride + first;
            std::uint32_t reached = 0;
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                reached |= product[lane] * scales[row] - shifts[row] < least[first + lane] ? 0U : 1U << lane;
            }
            for (std::size_t lane = 0; reached != 0; ++lane, reached >>= 1) {
                if ((reached & 1U) != 0) at[found++] = static_cast<std::uint32_t>(row * stride + first + lane);
            }
        }
    }
    return found;
}

template <class Flags>
constexpr ProductKernels portable_product_kernels() noexcept {
    return {portable_panel,        portable_products<Flags>,      portable_nearest<Flags>,
            portable_words<Flags>, portable_nearest_words<Flags>, portable_reached<Flags>};
}

}  // namespace detail

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// The kernels of metric M over elements T; InnerProduct gives −⟨a, b⟩. Cosine is made from those and the rows' norms.
template <class M, class T, class Flags = detail::ThisBuild>
    requires SumMetric<M, T> || BitMetric<M, T>
[[nodiscard]] Kernels<T> kernels(Isa) noexcept {
    return detail::portable_kernels<M, T, Flags>();
}

/// The kernels of codes of 8 or 4 bits.
template <unsigned bits, class Flags = detail::ThisBuild>
[[nodiscard]] CodeKernels code_kernels(Isa) noexcept {
    return detail::portable_code_kernels<bits, Flags>();
}

/// Products of many with many.
template <class Flags = detail::ThisBuild>
[[nodiscard]] ProductKernels product_kernels(Isa) noexcept {
    return detail::portable_product_kernels<Flags>();
}

/// Sums of table entries, in blocks.
template <class Flags = detail::ThisBuild>
[[nodiscard]] FastScanKernels fast_scan_kernels(Isa) noexcept {
    return detail::portable_fast_scan_kernels<Flags>();
}

}  // namespace kith::inline v0_single

// kith/index/raw_rows.hpp — vectors of any element, as they were given, one row a slot, ready for the kernels.
//
// A search reads rows at random, so a row begins where no cache line is read in vain: long rows on a cache line, short
// ones on 16 bytes, because there the padding would cost more than the line it saves. Cosine keeps the vector itself,
// bit for bit, and its inverse norm right behind it, where the last line read brings it along.
//
// Queries come as floats. Rows of floats, of two bytes or four, take them as they are; integers and bits are compared
// with a query that was made one of their kind.
//
// Thread safety: a view; rows that exist are only read.

namespace kith::inline v0_single {

namespace detail {

/// A query against rows, scored by one pair of kernels. Shape: `dim` counts elements.
template <class T>
class KernelScorer {
public:
    using Query = QueryElement<T>;

    KernelScorer(const Kernels<T>& kernels, const Query* query, const T* rows, std::size_t stride,
                 std::size_t dim) noexcept
        : kernels_(kernels), query_(query), rows_(rows), stride_(stride), dim_(dim) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        kernels_.slots(query_, rows_, stride_, dim_, slots, count, out);
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        kernels_.block(query_, row(first), stride_, dim_, count, out);
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        detail::prefetch_row(row(slot), dim_ * sizeof(T));
    }

    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept {
        const std::size_t row_bytes = stride_ * sizeof(T);
        if (row_bytes <= detail::longest_scanned) detail::prefetch_scan(row(first), count * row_bytes);
    }

    [[nodiscard]] const T* row(Slot slot) const noexcept { return rows_ + slot * stride_; }

    /// What stands behind the elements of a row.
    [[nodiscard]] const T* row_end(Slot slot) const noexcept { return row(slot) + dim_; }

private:
    Kernels<T> kernels_;
    const Query* query_;  // dim_ elements, alive as long as the scorer
    const T* rows_;       // row s begins at rows_ + s * stride_
    std::size_t stride_;  // in elements
    std::size_t dim_;
};

/// The cosine distance from inner products and inverse norms.
template <class T>
class CosineScorer {
public:
    CosineScorer(const KernelScorer<T>& products, float query_inverse_norm) noexcept
        : products_(products), query_inverse_norm_(query_inverse_norm) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        // Where a row ends with its line, the norm is on another, which the kernel does not fetch.
        for (std::size_t i = 0; i < count; ++i) __builtin_prefetch(products_.row_end(slots[i]));
        products_.score(slots, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] = distance(out[i], slots[i]);
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        products_.score_block(first, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] = distance(out[i], first + static_cast<Slot>(i));
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept { products_.prefetch(slot); }
    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept {
        products_.prefetch_scan(first, count);
    }

private:
    [[nodiscard]] float distance(float negative_product, Slot slot) const noexcept {
        float inverse_norm = 0;
        std::memcpy(&inverse_norm, products_.row_end(slot), sizeof(inverse_norm));
        // The norms first: their product is the same both ways round, and so is the distance. That of two vectors
        // which are nearly nothing is kept finite, for their own product may be 0.
        const float inverse_norms = std::min(query_inverse_norm_ * inverse_norm, std::numeric_limits<float>::max());
        return 1.0F + negative_product * inverse_norms;
    }

    KernelScorer<T> products_;  // gives −⟨query, row⟩
    float query_inverse_norm_;
};

}  // namespace detail

/// The Rows of plain vectors of T under metric M.
template <class T, class M>
class RawRows {
    static_assert(kith::Metric<M, T>,
                  "kith: this metric does not compare vectors of these elements; packed bits have kith::Hamming and "
                  "kith::Jaccard, numbers have kith::L2, kith::InnerProduct and kith::Cosine");
    static constexpr bool is_cosine = std::same_as<M, Cosine>;
    using ProductMetric = std::conditional_t<is_cosine, InnerProduct, M>;
    using Query = QueryElement<T>;
    static constexpr bool takes_floats = std::same_as<Query, float>;

public:
    using Element = T;
    using Metric = M;

    /// A view of rows that write_row wrote; `residency` brings them into memory, unless they are there anyway.
    /// Shape: row s begins at data + s * stride_for(dim).
    /// Requires: integers and bits have at most longest_integer_row elements a row.
    RawRows(const T* data, std::size_t dim, const Kernels<T>& kernels, Residency* residency = nullptr) noexcept
        : data_(data), dim_(dim), stride_(stride_for(dim)), kernels_(kernels), residency_(residency) {}

    /// The kernels rows of this metric are scored with; chosen once an index.
    [[nodiscard]] static Kernels<T> kernels_for(Isa isa) { return kernels<ProductMetric, T>(isa); }

    /// Elements from one row to the next. On disk: never change.
    [[nodiscard]] static constexpr std::size_t stride_for(std::size_t dim) noexcept {
        constexpr std::size_t long_row = 512;
        const std::size_t bytes = elements_for<T>(dim) * sizeof(T) + (is_cosine ? sizeof(float) : 0);
        const std::size_t unit = bytes >= long_row ? 64 : 16;
        return (bytes + unit - 1) / unit * unit / sizeof(T);
    }

    /// Writes `dim` floats as a row: rounded, within the range of T. Shape: `row` has room for stride_for(dim).
    static void write_row(T* row, const float* vector, std::size_t dim) noexcept {
        encode_elements(vector, dim, row);
        finish_row(row, dim);
    }

    /// Writes elements as a row, as they are. Shape: `elements` holds elements_for<T>(dim), `row` as above.
    static void write_elements(T* row, const T* elements, std::size_t dim) noexcept {
        std::memcpy(row, elements, elements_for<T>(dim) * sizeof(T));
        if constexpr (std::same_as<T, Bits8>) {  // nothing is set past the last dimension
            if (dim % 8 != 0) row[dim / 8].bits &= static_cast<std::uint8_t>((1U << (dim % 8)) - 1);
        }
        finish_row(row, dim);
    }

    /// Dimensions: the floats of a query.
    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] std::size_t stride() const noexcept { return stride_; }

    /// Where the rows lie. Who reads one without a scorer or decode() holds it.
    [[nodiscard]] detail::RowsPlace place() const noexcept {
        return {residency_, data_, stride_ * sizeof(T), stride_ * sizeof(T)};
    }
    [[nodiscard]] const T* row(Slot slot) const noexcept { return data_ + slot * stride_; }

    /// Writes the vector of a slot as floats, exactly. Shape: `out` has room for dim().
    void decode(Slot slot, float* out) const noexcept {
        const Held held(residency_, row(slot), stride_ * sizeof(T));
        decode_elements(row(slot), dim_, out);
    }

    /// The vector of a slot as floats: in place where rows are made of those and stay in memory, else in `buffer`, which
    /// has room for dim().
    [[nodiscard]] const float* floats(Slot slot, float* buffer) const noexcept {
        if constexpr (std::same_as<T, float>) {
            if (residency_ == nullptr) return row(slot);
        }
        decode(slot, buffer);
        return buffer;
    }

    /// The first `count` vectors as floats: in place, or in `buffer`.
    [[nodiscard]] MatrixView matrix(std::size_t count, std::vector<float>& buffer) const {
        if constexpr (std::same_as<T, float>) {
            if (residency_ == nullptr) return {data_, count, dim_, stride_};
        }
        buffer.resize(count * dim_);
        for (std::size_t at = 0; at < count; ++at) decode(static_cast<Slot>(at), &buffer[at * dim_]);
        return {buffer.data(), count, dim_, dim_};
    }

    /// 1 / ‖row‖, as write_row found it. Requires: the metric is Cosine.
    [[nodiscard]] float inverse_norm(Slot slot) const noexcept {
        const Held held(residency_, row(slot), stride_ * sizeof(T));
        float inverse = 0;
        std::memcpy(&inverse, row(slot) + elements_for<T>(dim_), sizeof(inverse));
        return inverse;
    }

    /// Scores rows against `query`, which must live as long as the scorer.
    [[nodiscard]] auto scorer(const float* query, ScratchMemory& scratch) const noexcept(takes_floats) {
        if constexpr (takes_floats) {
            static_cast<void>(scratch);
            return scorer_with(query, norm_of(query));
        } else {
            T* const elements = scratch.take_array<T>(elements_for<T>(dim_));
            if constexpr (is_cosine && std::integral<T>) {
                encode_direction(query, elements);
            } else {
                encode_elements(query, dim_, elements);
            }
            return scorer_with(elements, norm_of(elements));
        }
    }

    /// Scores rows against the row of `slot`.
    [[nodiscard]] auto scorer_of(Slot slot, ScratchMemory& scratch) const noexcept(std::same_as<Query, T>) {
        float norm = 0;
        if constexpr (is_cosine) norm = inverse_norm(slot);
        if constexpr (std::same_as<Query, T>) {
            static_cast<void>(scratch);
            return scorer_with(row(slot), norm);
        } else {
            return scorer_with(floats(slot, scratch.take_array<float>(dim_)), norm);
        }
    }

private:
    /// The whole numbers that point nearest to where `query` does: its own, or it scaled to fill their range. Below the
    /// range of unsigned ones there is nothing.
    void encode_direction(const float* query, T* elements) const noexcept {
        const auto largest = static_cast<float>(std::numeric_limits<T>::max());
        float reach = 0;
        bool whole = true;
        for (std::size_t i = 0; i < dim_; ++i) {
            reach = std::max(reach, std::abs(query[i]));
            whole = whole && query[i] == std::nearbyint(query[i]);
        }
        const float scale = (whole && reach <= largest) || !(reach > 0) ? 1.0F : largest / reach;
        for (std::size_t i = 0; i < dim_; ++i) elements[i] = detail::nearest_element<T>(query[i] * scale);
    }

    /// Zeros behind the elements, and among them what the metric keeps of a row.
    static void finish_row(T* row, std::size_t dim) noexcept {
        const std::size_t elements = elements_for<T>(dim);
        std::memset(static_cast<void*>(row + elements), 0, (stride_for(dim) - elements) * sizeof(T));
        if constexpr (is_cosine) {
            const float inverse = detail::inverse_norm(row, dim);
            std::memcpy(static_cast<void*>(row + elements), &inverse, sizeof(inverse));
        }
    }

    [[nodiscard]] float norm_of(const Query* query) const noexcept {
        if constexpr (is_cosine) {
            return detail::inverse_norm(query, dim_);
        } else {
            static_cast<void>(query);
            return 0;
        }
    }

    [[nodiscard]] auto scorer_with(const Query* query, float inverse_norm) const noexcept {
        const detail::KernelScorer<T> products(kernels_, query, data_, stride_, elements_for<T>(dim_));
        if constexpr (is_cosine) {
            return detail::ResidentScorer(detail::CosineScorer<T>(products, inverse_norm), place());
        } else {
            static_cast<void>(inverse_norm);
            return detail::ResidentScorer(products, place());
        }
    }

    const T* data_;
    std::size_t dim_;
    std::size_t stride_;  // stride_for(dim_)
    Kernels<T> kernels_;
    Residency* residency_;  // null: the rows are in memory
};

static_assert(Rows<RawRows<float, Cosine>>);
static_assert(Rows<RawRows<Half, L2>>);
static_assert(Rows<RawRows<std::int8_t, Cosine>>);
static_assert(Rows<RawRows<Bits8, Hamming>>);

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

/// Rows whose metric follows from inner products of floats.
template <class R>
concept ProductRows = Rows<R> && requires {
    typename R::Element;
    typename R::Metric;
    requires std::same_as<R, RawRows<typename R::Element, typename R::Metric>>;
    requires std::same_as<QueryElement<typename R::Element>, float>;
};

/// Meets rows with queries by products, and scores the pairs that these do not rule out.
template <ProductRows R, Scorer S>
class ProductBatch {
    static constexpr bool is_l2 = std::same_as<typename R::Metric, L2>;
    static constexpr bool is_cosine = std::same_as<typename R::Metric, Cosine>;
    static_assert(is_l2 || is_cosine || std::same_as<typename R::Metric, InnerProduct>);

public:
    /// Fewer queries than these are faster scored pair by pair, for the kernels of products work on whole panels.
    /// Measured where a panel is 32 queries: seven pair by pair take 0.7 of the time, and the two ways meet near ten.
    [[nodiscard]] static std::size_t fewest(Isa isa) noexcept { return product_kernels(isa).panel / 4; }

    /// Shape: `floats` holds the queries one after the other. Throws: std::bad_alloc while `scratch` grows.
    ProductBatch(const R& rows, const float* floats, std::span<BatchQuery<S>> queries, ScratchMemory& scratch, Isa isa)
        : rows_(rows),
          queries_(queries),
          kernels_(product_kernels(isa)),
          lengths_(kernels<InnerProduct, float>(isa)),
          width_((queries.size() + kernels_.panel - 1) / kernels_.panel * kernels_.panel),
          unit_(static_cast<double>(rows.dim() + rounded_besides) * 0x1p-24) {
        const std::size_t dim = rows.dim();
        std::size_t end = 0;
        const auto part = [&](std::size_t floats_wanted) {
            return std::exchange(end, end + (floats_wanted + 15) / 16 * 16);  // parts begin on cache lines
        };
        const std::size_t panels = part(width_ * dim), least = part(width_), products = part(batch_rows * width_),
                          reached = part(batch_rows * width_), copy = part(batch_rows * dim);
        auto* const memory = scratch.take_array<float>(end);
        panels_ = memory + panels;
        least_ = memory + least;
        products_ = memory + products;
        reached_ = reinterpret_cast<std::uint32_t*>(memory + reached);
        copy_ = memory + copy;
        std::memset(panels_, 0, width_ * dim * sizeof(float));
        std::fill_n(least_, width_, std::numeric_limits<float>::infinity());
        for (std::size_t at = 0; at < queries.size(); ++at) {
            const float* const query = floats + at * dim;
            float* const to = panels_ + at / kernels_.panel * kernels_.panel * dim + at % kernels_.panel;
            for (std::size_t d = 0; d < dim; ++d) to[d * kernels_.panel] = query[d];
            queries_[at].length = length(query);
        }
    }

    /// Offers `count` rows, at most batch_rows, to each query, those that products rule out excepted.
    /// Shape: `slots` rises.
    void meet(const Slot* slots, std::size_t count) noexcept {
        const std::size_t dim = rows_.dim();
        const float* from = copy_;
        std::size_t stride = dim;
        if (const float* const in_place = rows_in_place(slots, count)) {
            from = in_place;
            stride = rows_.stride();
        } else {
            for (std::size_t i = 0; i < count; ++i) rows_.decode(slots[i], copy_ + i * dim);
        }
        float scales[batch_rows], shifts[batch_rows];
        const double longest = prepare(from, stride, slots, count, scales, shifts);
        for (std::size_t at = 0; at < queries_.size(); ++at) least_[at] = least_product(queries_[at], longest);
        kernels_.products(from, stride, count, panels_, width_ / kernels_.panel, dim, products_, width_);
        const std::size_t reached =
            kernels_.reached(products_, width_, count, scales, shifts, least_, width_, reached_);
        for (std::size_t i = 0; i < reached; ++i) {
            const std::size_t row = reached_[i] / width_, at = reached_[i] % width_;
            if (at >= queries_.size()) continue;  // a filler of the last panel
            BatchQuery<S>& query = queries_[at];
            float distance = 0;
            query.scorer.score_block(slots[row], 1, &distance);
            if (!(distance > query.best.worst_distance())) query.best.offer({distance, slots[row]});
        }
    }

private:
    /// Roundings that are no term of a product's sum: of norms, of the metric's formula, of what is compared here.
    static constexpr std::size_t rounded_besides = 32;

    /// Lengths within which squares and products of two are neither infinite nor of fewer digits. Others rule out
    /// nothing.
    static constexpr double least_length = 1e-15, most_length = 1e15;

    [[nodiscard]] const float* rows_in_place(const Slot* slots, std::size_t count) const noexcept {
        if constexpr (std::same_as<typename R::Element, float>) {
            if (rows_.place().residency == nullptr && in_a_row(slots, count)) return rows_.row(slots[0]);
        }
        return nullptr;
    }

    [[nodiscard]] float square(const float* vector) const noexcept {
        float negative = 0;
        lengths_.block(vector, vector, rows_.dim(), rows_.dim(), 1, &negative);
        return -negative;
    }

    /// ‖query‖, or infinity when products with it may rule out nothing.
    [[nodiscard]] float length(const float* query) const noexcept {
        const double length = std::sqrt(static_cast<double>(square(query)));
        const bool ordinary = length < most_length && (!is_cosine || length > least_length) && unit_ < 1.0 / 16;
        return ordinary ? static_cast<float>(length) : std::numeric_limits<float>::infinity();
    }

    /// What products with each row are multiplied with and lessened by, to be compared with least_product. Returns the
    /// length of the longest row that may be ruled out.
    double prepare(const float* from, std::size_t stride, [[maybe_unused]] const Slot* slots, std::size_t count,
                   float* scales, float* shifts) const noexcept {
        double longest = 0;
        for (std::size_t i = 0; i < count; ++i) {
            bool ordinary = false;
            if constexpr (is_cosine) {
                scales[i] = rows_.inverse_norm(slots[i]);
                shifts[i] = 0;
                ordinary = scales[i] > 1 / most_length && scales[i] < 1 / least_length;
            } else {
                const float squared = square(from + i * stride);
                scales[i] = 1;
                shifts[i] = is_l2 ? squared / 2 : 0;
                ordinary = squared < most_length * most_length;
                if (ordinary) longest = std::max(longest, static_cast<double>(squared));
            }
            if (!ordinary) {  // infinite, or no number: not below anything
                scales[i] = 0;
                shifts[i] = -std::numeric_limits<float>::infinity();
            }
        }
        return std::sqrt(longest);
    }

    /// What the product of this query and a row, so prepared, is surely below when the row is farther than the worst
    /// kept. Each term is counted twice, and what is added here in double costs the rest.
    [[nodiscard]] float least_product(const BatchQuery<S>& query, double longest) const noexcept {
        constexpr double smallest = std::numeric_limits<float>::min();  // what underflow may take off each term
        const double length = static_cast<double>(query.length),
                     worst = static_cast<double>(query.best.worst_distance());
        if (!(length < most_length) || !(worst < std::numeric_limits<double>::infinity())) {
            return -std::numeric_limits<float>::infinity();
        }
        double least = 0, magnitudes = 0;
        if constexpr (is_cosine) {
            least = length * (1 - worst);
            magnitudes = 2 * length;
        } else if constexpr (is_l2) {
            least = (length * length - worst) / 2;
            magnitudes = (length * length + longest * longest + std::abs(worst)) / 2 + length * longest;
        } else {
            least = -worst;
            magnitudes = std::abs(worst) + length * longest;
        }
        return static_cast<float>(least - 2 * unit_ * magnitudes - 2 * smallest * static_cast<double>(rows_.dim()));
    }

    const R& rows_;
    std::span<BatchQuery<S>> queries_;
    ProductKernels kernels_;
    Kernels<float> lengths_;  // of the inner product
    std::size_t width_;       // queries, and fillers up to whole panels
    double unit_;             // what a product may be wrong by, as a share of the lengths' product
    // In the scratch:
    float* panels_;           // the queries, as kernels_ reads them
    float* least_;            // width_ of them: see least_product; infinity for fillers
    float* products_;         // batch_rows · width_
    std::uint32_t* reached_;  // as many
    float* copy_;             // batch_rows vectors, where they are not read in place
};

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

namespace detail {

/// Queries that meet the rows together; more bring no more, and less of them is near.
inline constexpr std::size_t widest_batch = 256;

/// The next allowed slots from `begin` on, which is moved behind them; returns how many.
/// Shape: `slots` has room for batch_rows.
inline std::size_t next_slots(BitsetView allowed, std::size_t& begin, Slot* slots) noexcept {
    std::size_t count = 0;
    for (; begin < allowed.count() && count < batch_rows; begin += 64 - begin % 64) {  // past the last Slot too
        const auto word = static_cast<Slot>(begin / 64);
        std::uint64_t bits = allowed.allowed_word(word) & (~std::uint64_t{0} << (begin % 64));
        for (; bits != 0; bits &= bits - 1) {
            const Slot slot = word * 64 + static_cast<Slot>(std::countr_zero(bits));
            if (count == batch_rows) {
                begin = slot;
                return count;
            }
            slots[count++] = slot;
        }
    }
    return count;
}

/// For each of `count` queries the nearest `limit` of the allowed slots, nearest first, equal distances by slot: to the
/// last bit what scan() finds for each alone. found[i] is how many there are for query i.
/// Shape: `queries` holds count · rows.dim() floats; the answers to query i begin at out + i · limit, which has room
///        for count · limit.
/// Throws: std::bad_alloc while `scratch` still grows.
template <Rows R>
void search_batch(const R& rows, const float* queries, std::size_t count, std::size_t limit, BitsetView allowed,
                  SearchScratch& scratch, Neighbor* out, std::size_t* found, Isa isa = best_isa()) {
    using S = decltype(rows.scorer(queries, scratch.query));
    static_assert(std::is_trivially_destructible_v<BatchQuery<S>>);
    const auto meet_all = [&](auto batch) {
        Slot slots[batch_rows];
        for (std::size_t begin = 0; const std::size_t met = next_slots(allowed, begin, slots);) batch.meet(slots, met);
    };
    if (scratch.batch.size() < std::min(count, widest_batch)) scratch.batch.resize(std::min(count, widest_batch));
    for (std::size_t first = 0; first < count; first += widest_batch) {
        const std::size_t size = std::min(widest_batch, count - first);
        const float* const floats = queries + first * rows.dim();
        auto* const memory = reinterpret_cast<BatchQuery<S>*>(scratch.query.take(size * sizeof(BatchQuery<S>)));
        for (std::size_t at = 0; at < size; ++at) {
            ::new (static_cast<void*>(memory + at))
                BatchQuery<S>{rows.scorer(floats + at * rows.dim(), scratch.batch[at]),
                              TopK(std::span(out + (first + at) * limit, limit)), 0};
        }
        const std::span<BatchQuery<S>> asked(std::launder(memory), size);
        if constexpr (ProductRows<R>) {
            if (size >= ProductBatch<R, S>::fewest(isa)) {
                meet_all(ProductBatch<R, S>(rows, floats, asked, scratch.lists, isa));
            } else {
                meet_all(PairBatch<S>(asked));
            }
        } else {
            meet_all(PairBatch<S>(asked));
        }
        for (std::size_t at = 0; at < size; ++at) found[first + at] = asked[at].best.sorted().size();
    }
}

}  // namespace detail

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

namespace detail {

inline constexpr std::size_t rescored_at_once = 8;
inline constexpr std::size_t rescored_first = 16;  // at least: a deviation is that of several
inline constexpr float rescored_deviations = 3;

/// Offers `found`, sorted by the distances of their codes, to `best` at the distances of their full vectors.
///
/// By how much codes overrate distances is seen on the first ones: its mean and its deviation. Whoever would still be
/// too far with three deviations in his favour ends the comparing. Requires: best is empty.
template <Scorer S>
void rescore(const S& exact, std::span<const Neighbor> found, std::size_t limit, TopK& best) noexcept {
    std::array<Slot, 64> slots;
    std::array<float, 64> distances;
    float sum = 0, squares = 0;  // of the errors: by how much a code's distance is too long
    const std::size_t begin = std::max(limit, rescored_first);
    std::size_t count = std::min(begin, slots.size());
    for (std::size_t first = 0; first < found.size();
         first += count, count = first < begin ? count : rescored_at_once) {
        const float mean = first == 0 ? 0 : sum / static_cast<float>(first);
        const float variance = first == 0 ? 0 : std::max(squares / static_cast<float>(first) - mean * mean, 0.0F);
        if (found[first].distance - mean - rescored_deviations * std::sqrt(variance) > best.worst_distance()) return;
        count = std::min(count, found.size() - first);
        for (std::size_t i = 0; i < count; ++i) slots[i] = found[first + i].slot;
        exact.score(slots.data(), count, distances.data());
        for (std::size_t i = 0; i < count; ++i) {
            const float error = found[first + i].distance - distances[i];
            sum += error;
            squares += error * error;
            best.offer({distances[i], slots[i]});
        }
    }
}

}  // namespace detail

/// `Tag` makes the index inside; R are the full vectors, which every call is given.
template <class Tag, class Q, class R>
class CodedIndex {
    static_assert(Number<typename R::Element>,
                  "kith: packed bits are codes already, so no quantizer makes codes of them; write kith::Hnsw<> or "
                  "kith::Flat");
    using Codes = detail::CodeMemory<Q, typename R::Metric>;
    using Inner = typename Tag::template Index<typename Codes::View>;

public:
    explicit CodedIndex(Slot capacity)
        : capacity_(capacity), inner_(Tag::template make<typename Codes::View>(capacity)) {}

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static CodedIndex map(const ImageBytes& image, Slot count) {
        if (image.empty()) return CodedIndex(0);  // too few vectors came to learn from
        std::size_t used = 0;
        auto codes = std::make_unique<const Codes>(image, count, used);
        return CodedIndex(std::move(codes), image.subspan(used));
    }

    /// The first so many slots are in the index.
    [[nodiscard]] Slot size() const noexcept { return inner_.size(); }

    /// How often codes were learned. To be asked by who inserts.
    [[nodiscard]] std::size_t lessons() const noexcept { return kept_.size(); }

    /// Elements of the vectors that the codes stand for; 0 where there are no codes.
    [[nodiscard]] std::size_t dim() const noexcept { return size() == 0 ? 0 : codes().codec().dim(); }

    /// Codes and indexes the slots from size() up to `count`; nothing while they are too few to learn from.
    /// Throws: what training throws; size() says how far it came.
    void insert(const R& rows, Slot count, unsigned threads = 1) {
        if (newest_ == nullptr) {
            std::size_t lesson = first_lesson(rows.dim());
            if (count < lesson) return;
            while (lesson * lesson_growth <= std::min<std::size_t>(count, last_lesson)) lesson *= lesson_growth;
            learn(rows, lesson, threads);
        }
        while (size() < count) {
            const auto until = static_cast<Slot>(std::min<std::size_t>(count, next_lesson_));
            newest_->append(rows, until, threads);
            inner_.insert(newest_->view(), until, threads);
            if (until == next_lesson_) learn(rows, next_lesson_, threads);
        }
    }

    /// Takes over codes and index of `other`, over the same rows. False, and nothing has changed, where the index inside
    /// cannot. Requires: this is empty, with room for them.
    bool adopt(const R& rows, const CodedIndex& other) {
        if (other.size() == 0) return true;
        kept_.reserve(1);
        auto codes = std::make_unique<Codes>(capacity_);
        codes->adopt(other.codes());
        if (!inner_.adopt(codes->view(), other.inner_)) return false;
        kept_.push_back(std::move(codes));
        newest_ = kept_.back().get();
        codes_.store(newest_, std::memory_order_release);
        next_lesson_ = first_lesson(rows.dim());
        while (next_lesson_ <= size()) next_lesson_ = lesson_after(next_lesson_);
        return true;
    }

    /// The nearest allowed slots below size(), nearest first, at the distances of their full vectors.
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const {
        const Slot indexed = std::min(size(), params.allowed.count());
        const std::size_t limit = std::min<std::size_t>(params.limit, indexed);
        if (limit == 0) return 0;
        SearchParams coarse = params;
        coarse.allowed = params.allowed.first(indexed);  // which were coded before the codes that are read below
        coarse.stretched = limit;
        coarse.limit = std::min<std::size_t>(coarse_limit(params, limit), indexed);
        scratch.coarse.resize(coarse.limit);
        const std::size_t found = inner_.search(codes().view(), query, coarse, scratch, scratch.coarse.data());
        TopK best(std::span(out, limit));
        detail::rescore(rows.scorer(query, scratch.query), std::span(scratch.coarse).first(found), limit, best);
        return best.sorted().size();
    }

    /// What search() answers to each of `count` queries, from one pass over the codes for 256 of them. found[i] is what
    /// it returns for query i. Shape: the answers to query i begin at out + i · width, where width is
    /// min(params.limit, params.allowed.count()).
    void search_batch(const R& rows, const float* queries, std::size_t count, const SearchParams& params,
                      SearchScratch& scratch, Neighbor* out, std::size_t* found) const
        requires(Tag::reads_all)
    {
        const BitsetView allowed = params.allowed.first(std::min(size(), params.allowed.count()));
        const std::size_t width = std::min<std::size_t>(params.limit, params.allowed.count());
        const std::size_t limit = std::min<std::size_t>(params.limit, allowed.count());
        const std::size_t coarse = std::min<std::size_t>(coarse_limit(params, limit), allowed.count());
        scratch.coarse.resize(count * coarse);
        detail::search_batch(codes().view(), queries, count, coarse, allowed, scratch, scratch.coarse.data(), found);
        for (std::size_t at = 0; at < count; ++at) {
            TopK best(std::span(out + at * width, limit));
            detail::rescore(rows.scorer(queries + at * rows.dim(), scratch.query),
                            std::span(scratch.coarse).subspan(at * coarse, found[at]), limit, best);
            found[at] = best.sorted().size();
        }
    }

    /// Writes the image that map() reads: the codes, then the index inside.
    template <class Sink>
    void save(const Sink& sink) const {
        if (size() == 0) return;
        codes().save(sink);
        inner_.save(sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        std::size_t bytes = inner_.memory_bytes();
        for (const auto& codes : kept_) bytes += codes->memory_bytes();
        return mapped_ ? bytes + mapped_->memory_bytes() : bytes;
    }

    /// What `count` vectors take, when they come a few at a time.
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        if (count < first_lesson(dim)) return {};
        IndexSpace all = Tag::template space<typename Codes::View>(dim, count);
        for (std::size_t lesson = first_lesson(dim); lesson <= count;) {
            lesson = lesson_after(lesson);
            const IndexSpace codes = Codes::space(dim, static_cast<Slot>(std::min<std::size_t>(lesson, count)));
            all.memory_bytes += codes.memory_bytes;
            if (lesson > count) all.disk_bytes += codes.disk_bytes;
        }
        return all;
    }

private:
    static constexpr std::size_t lesson_growth = 4;
    static constexpr std::size_t last_lesson = 65536;

    /// Rows from which on there is something to learn. Codecs ask for as many as make any codes at all.
    [[nodiscard]] static std::size_t first_lesson(std::size_t dim) noexcept {
        constexpr std::size_t enough_for_a_mean = 1024, rows_a_word = 16;
        return std::max(enough_for_a_mean, rows_a_word * Codes::Codec::fewest_vectors(dim));
    }

    CodedIndex(std::unique_ptr<const Codes> codes, const ImageBytes& image)
        : capacity_(codes->size()),
          mapped_(std::move(codes)),
          codes_(mapped_.get()),
          inner_(Tag::template map<typename Codes::View>(image, capacity_)) {}

    /// Requires: size() is not 0.
    [[nodiscard]] const Codes& codes() const noexcept { return *codes_.load(std::memory_order_acquire); }

    /// Codes the slots below size() by what the first `lesson` rows teach. Throws: as insert; nothing has changed then.
    void learn(const R& rows, std::size_t lesson, unsigned threads) {
        Training training;
        training.threads = threads;
        std::vector<float> floats;
        auto codes = std::make_unique<Codes>(capacity_);
        codes->train(rows.matrix(lesson, floats), training);
        codes->append(rows, size(), threads);
        kept_.push_back(std::move(codes));
        newest_ = kept_.back().get();
        codes_.store(newest_, std::memory_order_release);
        next_lesson_ = lesson_after(lesson);
    }

    [[nodiscard]] static std::size_t lesson_after(std::size_t lesson) noexcept {
        return lesson < last_lesson ? lesson * lesson_growth : std::size_t{no_slot};
    }

    /// How many of the nearest codes are compared again by their vectors, at most. A walk that keeps few candidates has
    /// no more to compare.
    [[nodiscard]] static std::size_t coarse_limit(const SearchParams& params, std::size_t limit) noexcept {
        const float factor = params.rescore > 0 ? params.rescore : Q::rescore;
        constexpr std::size_t fewest = 10;  // the few nearest may all be among those that their codes misplace
        const auto several = static_cast<float>(std::max(limit, fewest));
        const auto wanted = static_cast<std::size_t>(std::ceil(several * std::max(factor, 1.0F)));
        return Tag::reads_all ? wanted : std::min(wanted, std::max<std::size_t>(limit, params.ef_search));
    }

    Slot capacity_;
    std::vector<std::unique_ptr<Codes>> kept_;  // all there were, for a search may be reading any of them
    Codes* newest_ = nullptr;                   // the last of kept_
    std::size_t next_lesson_ = 0;
    std::unique_ptr<const Codes> mapped_;
    std::atomic<const Codes*> codes_ = nullptr;  // newest_ or mapped_, for those who search
    Inner inner_;
};

}  // namespace kith::inline v0_single

// kith/index/flat.hpp — the exact answer, by comparing every allowed row.
//
// For few rows nothing beats reading them in order: the memory streams, and each block is one kernel call. The graph
// search falls back on it where a graph would have to walk past too many excluded nodes.
//
// Thread safety: reads only; insert is called by one thread at a time, beside any number of searches.

namespace kith::inline v0_single {

namespace detail {

/// Gathers slots for one kernel call after another, and offers what they score to a TopK.
template <Scorer S>
class ScanBlock {
public:
    ScanBlock(const S& scorer, TopK& best) noexcept : scorer_(scorer), best_(best) {}

    void add(Slot slot) noexcept {
        slots_[count_++] = slot;
        if (count_ == slots_.size()) flush();
    }

    /// Scores what was added. Slots in a row are read in a row.
    void flush() noexcept {
        if (count_ == 0) return;
        if (in_a_row()) {
            constexpr std::size_t at_once = 16;
            for (std::size_t at = 0; at < count_; at += at_once) {
                const std::size_t now = std::min(at_once, count_ - at);
                if constexpr (requires { scorer_.prefetch_scan(Slot{}, now); }) scorer_.prefetch_scan(slots_[at], now);
                scorer_.score_block(slots_[at], now, &distances_[at]);
            }
        } else {
            scorer_.score(slots_.data(), count_, distances_.data());
        }
        for (std::size_t i = 0; i < count_; ++i) {
            if (!(distances_[i] > best_.worst_distance())) best_.offer({distances_[i], slots_[i]});
        }
        count_ = 0;
    }

private:
    [[nodiscard]] bool in_a_row() const noexcept {
        // Whoever adds in another order than that of slots is told apart by the ends, but for a few.
        if (slots_[count_ - 1] - slots_[0] != count_ - 1) return false;
        for (std::size_t i = 1; i < count_; ++i) {
            if (slots_[i] != slots_[0] + i) return false;
        }
        return true;
    }

    const S& scorer_;
    TopK& best_;
    std::array<Slot, 64> slots_;  // the first count_
    std::array<float, 64> distances_;
    std::size_t count_ = 0;
};

/// Offers every allowed slot in [first, last) to `best`.
template <Scorer S>
void scan(const S& scorer, Slot first, Slot last, BitsetView allowed, TopK& best) noexcept {
    ScanBlock<S> block(scorer, best);
    const BitsetView within = allowed.first(std::min(last, allowed.count()));
    for (std::size_t begin = first; begin < within.count(); begin += 64 - begin % 64) {  // past the last Slot too
        const auto word = static_cast<Slot>(begin / 64);
        std::uint64_t bits = within.allowed_word(word) & (~std::uint64_t{0} << (begin % 64));
        for (; bits != 0; bits &= bits - 1) block.add(word * 64 + static_cast<Slot>(std::countr_zero(bits)));
    }
    block.flush();
}

}  // namespace detail

/// The index that keeps nothing: every search compares all rows.
template <Rows R>
class FlatIndex {
public:
    FlatIndex() noexcept = default;
    explicit FlatIndex(Slot count) noexcept : size_(count) {}

    /// Slots that a search may be told of; nothing is stored for them.
    [[nodiscard]] Slot size() const noexcept { return size_.load(std::memory_order_acquire); }

    void insert(const R&, Slot count, unsigned = 1) noexcept {
        size_.store(std::max(size(), count), std::memory_order_release);
    }

    /// Takes over what `other` holds of the same rows.
    bool adopt(const R&, const FlatIndex& other) noexcept {
        size_.store(other.size(), std::memory_order_release);
        return true;
    }

    /// The nearest allowed slots below size(), nearest first, equal distances by slot; returns how many.
    /// Shape: `query` holds rows.dim() elements, `out` has room for min(params.limit, size()).
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const {
        TopK best(std::span(out, std::min<std::size_t>(params.limit, size())));
        detail::scan(rows.scorer(query, scratch.query), 0, size(), params.allowed, best);
        return best.sorted().size();
    }

    template <class Sink>
    void save(const Sink&) const noexcept {}

    [[nodiscard]] static std::size_t memory_bytes() noexcept { return 0; }

private:
    std::atomic<Slot> size_ = 0;
};

}  // namespace kith::inline v0_single

// kith/quantize/scalar.hpp — one byte an element, or half of one, with a scale for each vector.
//
// The mean of the sample is taken off, which makes vectors shorter, and what is left is cut into equal steps as long as
// its largest element asks for. Offsets are those of the decoded vectors, not of the true ones: L2 is then the distance
// between two decoded vectors, whose error shrinks with the distance itself, so near neighbours are told apart best.
// A query has a byte an element whatever the rows have.
//
// Thread safety: a trained codec is only read; its Rows are views.
// Source: Aguerrebere et al., "Similarity search in the blink of an eye with compressed indices" (LVQ),
// arXiv:2304.04759, section 3; here the range is symmetric, which lets one integer dot product do for every metric.

// kith/quantize/centring.hpp — a vector as a code sees it: in the metric's own form and about the mean.
//
// About the mean of the data, vectors are short, and what a code loses is proportional to that length. Every distance
// then has the same form, for x = μ + u and y = μ + v with μ the mean:
//
//   distance(x, y) = bias(x) + bias(y) − weight · ⟨u, v⟩
//
//   L2            bias ‖u‖²                                      weight 2
//   Cosine        bias ½‖u‖², of x and y divided by their norms  weight 1
//   InnerProduct  bias −⟨μ, u⟩ − ½‖μ‖²                           weight 1
//
// Cosine takes the form of L2 because an error of u is then weighed by how far x is from y, not by their length. A
// vector of length zero is at 1 from everything, so its bias is ½ more.

// kith/distance/packed_dots.hpp — inner products of a query of bytes with codes of a few bits an element.
//
// Codes of every width from 1 to 8 bits are stored in fields of 8, 4, 2 and 1 bits, whose inner products are sums of
// products of bytes once the fields are unpacked. The layout makes unpacking a shift and a mask, whatever the width of
// a register, and wastes at most three bytes a field.
//
// This header stays free of functions that could be left in the library: the sources built for one instruction set
// include it.

namespace kith::inline v0_single {

// An element of b bits is cut, from its highest bit down, into fields whose widths are the powers of two that b is a
// sum of: 7 bits are a field of 4, one of 2 and one of 1. On disk: never change.
//
//   code    = head, then for each field width f, widest first: part_bytes(f) bytes
//   byte j of width f holds in its bits p·f to p·f + f − 1 the field of element p · part_bytes(f) + j, or zero when
//           there is no such element
//
// A prepared query holds for each f, widest first, 8 / f parts of query_part_bytes(f) bytes: byte j of part p is what
// the field in bits p·f of byte j is multiplied by, zero where there is no element.

/// Where codes lie. Shape: code s begins at codes + s · stride and holds `head` bytes before its fields of `dim`
/// elements.
struct PackedShape {
    std::size_t dim = 0;
    std::size_t head = 0;
    std::size_t stride = 0;
};

/// The kernels for elements of one number of bits and one instruction set.
/// Shape:  `query` is prepared as above; codes are as above, head and stride multiples of 4. Nothing past a code is
///         read.
/// Laws:   out[i] is Σ query[j] · code[j], exactly: the same on every instruction set, by either call.
struct PackedDots {
    using Slots = void (*)(const std::int8_t* query, const std::byte* codes, const PackedShape& shape,
                           const Slot* slots, std::size_t count, std::int32_t* out) noexcept;
    using Block = void (*)(const std::int8_t* query, const std::byte* codes, const PackedShape& shape,
                           std::size_t count, std::int32_t* out) noexcept;

    Slots slots = nullptr;
    Block block = nullptr;
};

/// More elements could overflow the sum of 32 bits.
inline constexpr std::size_t most_packed_elements = 65536;

namespace detail {

/// Bytes of the fields of `field` bits.
[[gnu::always_inline]] constexpr std::size_t part_bytes(unsigned field, std::size_t dim) noexcept {
    return (dim * field + 31) / 32 * 4;
}

/// Bytes from one part of a prepared query to the next: a whole number of the largest registers.
[[gnu::always_inline]] constexpr std::size_t query_part_bytes(unsigned field, std::size_t dim) noexcept {
    return (part_bytes(field, dim) + 63) / 64 * 64;
}

/// Bytes of the fields of all widths.
[[gnu::always_inline]] constexpr std::size_t packed_bytes(unsigned bits, std::size_t dim) noexcept {
    std::size_t bytes = 0;
    for (unsigned field = 8; field > 0; field /= 2) bytes += (bits & field) != 0 ? part_bytes(field, dim) : 0;
    return bytes;
}

/// Bytes of a prepared query.
[[gnu::always_inline]] constexpr std::size_t packed_query_bytes(unsigned bits, std::size_t dim) noexcept {
    std::size_t bytes = 0;
    for (unsigned field = 8; field > 0; field /= 2) {
        bytes += (bits & field) != 0 ? 8 / field * query_part_bytes(field, dim) : 0;
    }
    return bytes;
}

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/quantize/mean.hpp — the middle of a sample: what codecs take off before they encode.

namespace kith::inline v0_single::detail {

/// Which rows count towards a mean: those at most a hundred times as long as the median. One that is 10^9 times as long
/// as the others would leave all of them with the same code.
inline std::vector<bool> rows_of_usual_length(MatrixView sample) {
    constexpr double times = 100;
    std::vector<double> lengths(sample.rows);
    for (std::size_t row = 0; row < sample.rows; ++row) {
        const float* const vector = sample.row(row);
        double squares = 0;
        for (std::size_t i = 0; i < sample.dim; ++i) {
            squares += static_cast<double>(vector[i]) * static_cast<double>(vector[i]);
        }
        lengths[row] = std::sqrt(squares);
    }
    std::vector<double> sorted = lengths;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    std::vector<bool> usual(sample.rows, true);
    for (std::size_t row = 0; row < sample.rows; ++row) usual[row] = *middle == 0 || lengths[row] <= times * *middle;
    return usual;
}

/// The mean of the rows, but for those much longer than the others, or of the rows brought to length 1 when `normalise`
/// is set; summed in double.
/// Throws: Errc::invalid_argument for no rows, Errc::cancelled.
inline std::vector<float> mean_of(MatrixView sample, bool normalise, const Training& training) {
    if (sample.rows == 0) raise(Errc::invalid_argument, "training: there are 0 vectors, expected at least 1");
    constexpr std::size_t rows_a_report = 16384;
    const std::vector<bool> counts = normalise ? std::vector<bool>(sample.rows, true) : rows_of_usual_length(sample);
    std::size_t counted = 0;
    std::vector<double> sums(sample.dim);
    for (std::size_t row = 0; row < sample.rows; ++row) {
        if (row % rows_a_report == 0) {
            training.report(static_cast<double>(row) / static_cast<double>(sample.rows));
        }
        const float* const vector = sample.row(row);
        const double factor = normalise ? static_cast<double>(inverse_norm(vector, sample.dim)) : 1.0;
        if (!counts[row]) continue;
        ++counted;
        for (std::size_t i = 0; i < sample.dim; ++i) sums[i] += static_cast<double>(vector[i]) * factor;
    }
    std::vector<float> mean(sample.dim);
    for (std::size_t i = 0; i < sample.dim; ++i) {
        mean[i] = static_cast<float>(sums[i] / static_cast<double>(counted));
    }
    return mean;
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

namespace detail {

/// Σ a[i]², in double.
inline double squares(const float* a, std::size_t dim) noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    return sum;
}

/// Σ a[i] · b[i], in double.
inline double product(const float* a, const float* b, std::size_t dim) noexcept {
    double sum = 0;
    for (std::size_t i = 0; i < dim; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
}

// Vectors longer than longest_vector are taken as if they were that long: squares of what is left stay finite, and
// their distances lie beyond those of all others as before.

/// `vector`, or, when it is longer than any may be, a shorter one of its direction in `shortened`.
inline const float* within_reach(const float* vector, std::size_t dim, float* shortened) noexcept {
    const double length = std::sqrt(squares(vector, dim));
    if (!(length > longest_vector)) return vector;
    for (std::size_t i = 0; i < dim; ++i) {
        shortened[i] = static_cast<float>(static_cast<double>(vector[i]) * (longest_vector / length));
    }
    return shortened;
}

/// What a vector is multiplied by to be as metric M compares it; 0 for a vector of length zero under Cosine.
template <class M>
double compared_factor(const float* vector, std::size_t dim) noexcept {
    if constexpr (std::same_as<M, Cosine>) {
        return inverse_length(vector, dim);
    } else {
        const double length = std::sqrt(squares(vector, dim));
        return length > longest_vector ? longest_vector / length : 1;
    }
}

/// A base of every codec, so that a metric no codes are for is refused, and by one sentence.
template <class M>
struct ServedMetric {
    static_assert(std::same_as<M, L2> || std::same_as<M, InnerProduct> || std::same_as<M, Cosine>,
                  "kith: quantizers serve the metrics L2, InnerProduct and Cosine");
};

/// Throws: Errc::invalid_argument.
inline void check_quantized_dim(std::size_t dim) {
    if (dim == 0 || dim > most_packed_elements) {
        raise(Errc::invalid_argument, "quantizer: vectors have " + std::to_string(dim) + " dimensions, expected 1 to " +
                                          std::to_string(most_packed_elements));
    }
}

/// The mean of vectors of which none is longer than longest_vector. Throws: as mean_of does.
inline std::vector<float> mean_within_reach(MatrixView sample, bool normalise, const Training& training) {
    std::vector<float> mean = mean_of(sample, normalise, training);
    std::vector<float> shortened(mean.size());
    if (within_reach(mean.data(), mean.size(), shortened.data()) != mean.data()) mean = std::move(shortened);
    return mean;
}

/// Refuses a mean no training gives. Throws: Errc::corrupt.
inline void check_mean(const std::vector<float>& mean) {
    for (const float element : mean) {
        if (!(std::abs(static_cast<double>(element)) <= longest_vector)) {
            raise(Errc::corrupt, "quantizer: an element of the mean is out of range");
        }
    }
}

/// The centring of metric M: what a codec learns before its codes.
template <class M>
class Centring : ServedMetric<M> {
public:
    static constexpr bool is_cosine = std::same_as<M, Cosine>;
    static constexpr bool is_product = std::same_as<M, InnerProduct>;

    static constexpr float weight = std::same_as<M, L2> ? 2.0F : 1.0F;

    Centring() noexcept = default;

    /// Throws: Errc::invalid_argument when there is nothing to learn from, Errc::cancelled.
    static Centring train(MatrixView sample, const Training& training) {
        check_quantized_dim(sample.dim);
        return Centring(mean_within_reach(sample, is_cosine, training));
    }

    /// mean:f32 × dim. Throws: Errc::corrupt.
    static Centring load(ByteReader& reader, std::size_t dim) {
        check_quantized_dim(dim);
        std::vector<float> mean(dim);
        if (!reader.f32s(mean)) raise(Errc::corrupt, "quantizer: the mean ends early");
        check_mean(mean);
        return Centring(std::move(mean));
    }

    void save(ByteWriter& writer) const { writer.f32s(mean_); }

    [[nodiscard]] std::size_t dim() const noexcept { return mean_.size(); }

    /// Writes u of `vector` and returns what bias adds to the form of u: see bias().
    float centre(const float* vector, float* u) const noexcept {
        const double factor = compared_factor<M>(vector, dim());
        for (std::size_t i = 0; i < dim(); ++i) {
            u[i] = static_cast<float>(factor * static_cast<double>(vector[i]) - static_cast<double>(mean_[i]));
        }
        if constexpr (is_product) {
            return static_cast<float>(-product(mean_.data(), u, dim()) - squares(mean_.data(), dim()) / 2);
        } else if constexpr (is_cosine) {
            return factor == 0 ? 0.5F : 0.0F;
        } else {
            return 0;
        }
    }

    /// bias(x) from what centre() returned and ‖u‖², or that of the vector a code stands for.
    [[nodiscard]] static float bias(float from_centre, double u_squares) noexcept {
        if constexpr (is_product) {
            return from_centre;
        } else {
            return from_centre + static_cast<float>(u_squares * (is_cosine ? 0.5 : 1.0));
        }
    }

    /// μ + u.
    void restore(const float* u, float* vector) const noexcept {
        for (std::size_t i = 0; i < dim(); ++i) vector[i] = u[i] + mean_[i];
    }

private:
    explicit Centring(std::vector<float> mean) noexcept : mean_(std::move(mean)) {}

    std::vector<float> mean_;  // μ, finite
};

}  // namespace detail

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

namespace detail {

/// Scores coded rows against one prepared query.
template <unsigned bits>
class CodeScorer {
public:
    CodeScorer(const CodeKernels& kernels, const CodeQuery& query, const std::uint8_t* rows, std::size_t stride,
               std::size_t dim) noexcept
        : kernels_(kernels), query_(query), rows_(rows), stride_(stride), dim_(dim) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        kernels_.slots(query_, rows_, stride_, dim_, slots, count, out);
    }
    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        kernels_.block(query_, rows_ + first * stride_, stride_, dim_, count, out);
    }
    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        fetch_code<bits, ThisBuild>(rows_ + slot * stride_, dim_);
    }
    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept {
        detail::prefetch_scan(rows_ + first * stride_, count * stride_);
    }

private:
    CodeKernels kernels_;
    CodeQuery query_;  // its codes lie in the scratch of the search
    const std::uint8_t* rows_;
    std::size_t stride_;  // in bytes
    std::size_t dim_;
};

template <class M, unsigned bits>
class ScalarCodec : ServedMetric<M> {
    using Shape = CodeShape<bits>;

public:
    class Rows;

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return 1; }

    /// Learns the mean. Throws: Errc::invalid_argument, Errc::cancelled.
    /// Cost: reads the sample once.
    [[nodiscard]] static ScalarCodec train(MatrixView sample, const Training& training) {
        check_dim(sample.dim);
        return ScalarCodec(mean_within_reach(sample, std::same_as<M, Cosine>, training));
    }

    /// Throws: Errc::corrupt.
    [[nodiscard]] static ScalarCodec load(ByteReader& reader, std::size_t dim) {
        check_dim(dim);
        std::vector<float> mean(dim);
        if (!reader.f32s(mean)) raise(Errc::corrupt, "scalar codec: the mean ends early");
        check_mean(mean);
        return ScalarCodec(std::move(mean));
    }
    void save(ByteWriter& writer) const { writer.f32s(mean_); }

    [[nodiscard]] static CodecSpace space(std::size_t dim) noexcept {
        return {padded(Shape::row_bytes(dim)), dim * sizeof(float), dim * sizeof(float)};
    }

    [[nodiscard]] std::size_t dim() const noexcept { return mean_.size(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return code_bytes_; }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        auto* const steps = scratch.take_array<std::int8_t>(dim());
        const CodeTail tail = quantize(vector, Shape::steps, steps);
        auto* const row = reinterpret_cast<std::uint8_t*>(code);
        std::memset(row, 0, code_bytes_);
        for (std::size_t i = 0; i < dim(); ++i) put(row, i, steps[i] + Shape::zero);
        std::memcpy(row + Shape::tail_at(dim()), &tail, sizeof(tail));
    }

    void decode(const std::byte* code, float* out) const noexcept {
        const auto* const row = reinterpret_cast<const std::uint8_t*>(code);
        const float scale = tail_of(row).scale;
        for (std::size_t i = 0; i < dim(); ++i) {
            out[i] = mean_[i] + scale * static_cast<float>(get(row, i) - Shape::zero);
        }
    }

    [[nodiscard]] Rows rows(const std::byte* codes) const noexcept { return Rows(*this, codes); }

private:
    static constexpr float product_factor = std::same_as<M, L2> ? -2.0F : -1.0F;

    explicit ScalarCodec(std::vector<float> mean)
        : mean_(std::move(mean)),
          code_bytes_(padded(Shape::row_bytes(mean_.size()))),
          kernels_(code_kernels<bits>(best_isa())) {
        for (const float value : mean_) squares_of_mean_ += value * value;
    }

    static void check_dim(std::size_t dim) {
        if (dim > 0 && dim <= longest_coded_row) return;
        raise(Errc::invalid_argument, "scalar codec: vectors have " + std::to_string(dim) +
                                          " elements, expected 1 to " + std::to_string(longest_coded_row));
    }

    /// Long rows begin on a cache line. Short ones do not where that would cost more memory than it saves time.
    static constexpr std::size_t padded(std::size_t bytes) noexcept {
        constexpr std::size_t long_row = 256;
        const std::size_t unit = bytes >= long_row ? 64 : 16;
        return (bytes + unit - 1) / unit * unit;
    }

    /// Byte and shift of element i of a row.
    [[nodiscard]] std::pair<std::size_t, unsigned> place(std::size_t i) const noexcept {
        if constexpr (bits == 8) return {i, 0};
        const std::size_t at = Shape::query_at(i, dim());
        return {at / 128 * 64 + at % 64, at % 128 < 64 ? 0U : 4U};
    }
    void put(std::uint8_t* row, std::size_t i, std::int32_t code) const noexcept {
        const auto [at, shift] = place(i);
        row[at] = static_cast<std::uint8_t>(row[at] | (static_cast<unsigned>(code) << shift));
    }
    [[nodiscard]] std::int32_t get(const std::uint8_t* row, std::size_t i) const noexcept {
        const auto [at, shift] = place(i);
        return (row[at] >> shift) & (bits == 8 ? 255 : 15);
    }
    [[nodiscard]] CodeTail tail_of(const std::uint8_t* row) const noexcept {
        CodeTail tail;
        std::memcpy(&tail, row + Shape::tail_at(dim()), sizeof(tail));
        return tail;
    }

    /// Writes a vector in steps of its own scale, and returns what stands behind them.
    CodeTail quantize(const float* vector, std::int32_t largest, std::int8_t* steps) const noexcept {
        const float factor = std::same_as<M, Cosine> ? inverse_norm(vector, dim()) : 1.0F;
        const auto top = static_cast<float>(largest);
        float scale = kernels_.encode(vector, factor, mean_.data(), dim(), top, steps);
        // The sum of the squares of such elements could be infinite.
        if (!(scale * top * std::sqrt(static_cast<float>(dim())) <= static_cast<float>(longest_vector))) {
            const auto shorter = static_cast<float>(compared_factor<M>(vector, dim()));
            scale = kernels_.encode(vector, shorter, mean_.data(), dim(), top, steps);
        }
        // A vector of length zero is at 1 from everything; as half of L2 it would be at ½ from what has length 1.
        const float without_direction = std::same_as<M, Cosine> && factor == 0 ? 0.5F : 0.0F;
        return {scale, offset_of(steps, scale) + without_direction};
    }

    /// What a decoded vector adds to a distance by itself.
    [[nodiscard]] float offset_of(const std::int8_t* steps, float scale) const noexcept {
        if constexpr (std::same_as<M, L2> || std::same_as<M, Cosine>) {
            std::int32_t squares = 0;
            for (std::size_t i = 0; i < dim(); ++i) squares += std::int32_t{steps[i]} * std::int32_t{steps[i]};
            const float norm = scale * scale * static_cast<float>(squares);
            return std::same_as<M, L2> ? norm : norm / 2;  // between unit vectors, half of L2 is 1 − cos
        } else {
            float product = 0;  // of the decoded vector, without its mean, and the mean
            for (std::size_t i = 0; i < dim(); ++i) product += static_cast<float>(steps[i]) * mean_[i];
            return -(scale * product) - squares_of_mean_ / 2;
        }
    }

    std::vector<float> mean_;
    std::size_t code_bytes_;
    CodeKernels kernels_;
    float squares_of_mean_ = 0;
};

/// The Rows of codes.
template <class M, unsigned bits>
class ScalarCodec<M, bits>::Rows {
public:
    Rows(const ScalarCodec& codec, const std::byte* codes) noexcept
        : codec_(&codec), codes_(reinterpret_cast<const std::uint8_t*>(codes)) {}

    [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

    [[nodiscard]] CodeScorer<bits> scorer(const float* query, ScratchMemory& scratch) const {
        std::int8_t* const codes = take(scratch);
        std::int8_t* const steps = codes + query_bytes();
        const CodeTail tail = codec_->quantize(query, CodeShape<8>::steps, steps);
        return prepare(codes, steps, tail);
    }

    /// Compares decoded vectors with a decoded one, so it is the same both ways round.
    [[nodiscard]] CodeScorer<bits> scorer_of(Slot slot, ScratchMemory& scratch) const {
        std::int8_t* const codes = take(scratch);
        std::int8_t* const steps = codes + query_bytes();
        const std::uint8_t* const row = codes_ + slot * codec_->code_bytes();
        unpack(row, steps);
        return prepare(codes, steps, codec_->tail_of(row));
    }

private:
    [[nodiscard]] std::size_t query_bytes() const noexcept { return (dim() + 127) / 128 * 128; }

    /// Room for the codes of a query and, behind them, its steps in order.
    [[nodiscard]] std::int8_t* take(ScratchMemory& scratch) const {
        return scratch.take_array<std::int8_t>(query_bytes() + dim());
    }

    /// The steps of a row, in order; a run of bytes at a time, so that the compiler may use registers.
    void unpack(const std::uint8_t* row, std::int8_t* steps) const noexcept {
        if constexpr (bits == 8) {
            for (std::size_t i = 0; i < dim(); ++i) steps[i] = static_cast<std::int8_t>(row[i] - Shape::zero);
        } else {
            for (std::size_t first = 0; first < dim(); first += 128, row += 64) {
                const std::size_t left = dim() - first < 128 ? dim() - first : 128;
                const std::size_t half = (left + 1) / 2;
                std::int8_t* const low = steps + first;
                for (std::size_t i = 0; i < half; ++i) low[i] = static_cast<std::int8_t>((row[i] & 15) - Shape::zero);
                std::int8_t* const high = low + half;
                for (std::size_t i = 0; i < left - half; ++i) {
                    high[i] = static_cast<std::int8_t>((row[i] >> 4) - Shape::zero);
                }
            }
        }
    }

    [[nodiscard]] CodeScorer<bits> prepare(std::int8_t* codes, const std::int8_t* steps, CodeTail tail) const noexcept {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < dim(); ++i) sum += steps[i];
        const std::size_t whole = bits == 8 ? dim() : dim() / 128 * 128;
        std::memcpy(codes, steps, whole);
        std::memset(codes + whole, 0, query_bytes() - whole);
        for (std::size_t i = whole; i < dim(); ++i) codes[Shape::query_at(i, dim())] = steps[i];
        const CodeQuery query{codes, product_factor * tail.scale, tail.offset, Shape::zero * sum};
        return {codec_->kernels_, query, codes_, codec_->code_bytes(), dim()};
    }

    const ScalarCodec* codec_;
    const std::uint8_t* codes_;
};

}  // namespace detail

/// One byte an element and eight a vector.
struct Sq8 {
    static constexpr std::string_view name = "sq8";  // stored on disk: never rename
    static constexpr float rescore = 2;

    template <class M>
    using Codec = detail::ScalarCodec<M, 8>;
};

/// Half a byte an element and eight a vector.
struct Sq4 {
    static constexpr std::string_view name = "sq4";  // stored on disk: never rename
    static constexpr float rescore = 4;

    template <class M>
    using Codec = detail::ScalarCodec<M, 4>;
};

static_assert(Quantizer<Sq8, L2>);
static_assert(Quantizer<Sq4, Cosine>);

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

// Besides its index, a tag says what effort means to it (see recall_curve.hpp): `ladder<M>` is what to try, rising, and
// try_as_hard<M>(effort, params) sets it for a search. An empty ladder stands for an index that is exact. `reads_all`
// says that a search reads all the index holds, so that exclusions never make it dearer. space<R>(dim, count) is what
// the index takes besides the rows.

/// Compares every vector: exact, and fast enough up to some ten thousand.
struct Flat {
    static constexpr std::string_view name = "flat";  // stored on disk: never rename
    static constexpr bool reads_all = true;

    template <class M>
    static constexpr std::array<float, 0> ladder{};

    template <class M>
    static void try_as_hard(float, SearchParams&) noexcept {}

    template <class R>
    using Index = FlatIndex<R>;

    template <class R>
    [[nodiscard]] static FlatIndex<R> make(Slot) noexcept {
        return FlatIndex<R>();
    }

    template <class R>
    [[nodiscard]] static IndexSpace space(std::size_t, Slot) noexcept {
        return {};
    }

    /// Throws: Errc::corrupt.
    template <class R>
    [[nodiscard]] static FlatIndex<R> map(const ImageBytes& image, Slot count) {
        if (!image.empty()) raise(Errc::corrupt, "flat image: holds bytes where there are none");
        return FlatIndex<R>(count);
    }
};

/// `Tag` over the codes of quantizer Q, rescored by the full vectors: Coded<Flat, Sq8>.
template <class Tag, class Q>
struct Coded {
private:
    static constexpr auto letters = [] {
        std::array<char, Tag::name.size() + 1 + Q::name.size()> joined{};
        auto* at = joined.data();
        for (const char letter : Tag::name) *at++ = letter;
        *at++ = '/';
        for (const char letter : Q::name) *at++ = letter;
        return joined;
    }();

public:
    static constexpr std::string_view name{letters.data(), letters.size()};  // stored on disk: never rename

    static constexpr bool reads_all = Tag::reads_all;

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept { return fits_dimension<Q>(dim); }

    /// Where every code is compared, effort is how many times the limit is compared again by the vectors.
    template <class M>
    static constexpr auto ladder = [] {
        if constexpr (reads_all) return std::array{2.0F, 4.0F, 10.0F, 25.0F, 60.0F};
        if constexpr (!reads_all) return Tag::template ladder<M>;
    }();

    template <class M>
    static void try_as_hard(float effort, SearchParams& search) noexcept {
        if constexpr (reads_all) {
            search.rescore = effort * std::min(beyond_measured(search.limit), 1.5F);
        } else {
            Tag::template try_as_hard<M>(effort, search);
        }
    }

    template <class R>
    using Index = CodedIndex<Tag, Q, R>;

    template <class R>
    [[nodiscard]] static Index<R> make(Slot capacity) {
        return Index<R>(capacity);
    }

    template <class R>
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        return Index<R>::space(dim, count);
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    template <class R>
    [[nodiscard]] static Index<R> map(const ImageBytes& image, Slot count) {
        return Index<R>::map(image, count);
    }
};

namespace detail {

/// A graph over rows as they are.
template <HnswParams P>
struct HnswOverRows {
    static constexpr std::string_view name = "hnsw";  // stored on disk: never rename
    static constexpr bool reads_all = false;
    static constexpr HnswParams params = P;
    static_assert(P.max_links >= HnswParams::fewest_links && P.max_links <= HnswParams::most_links,
                  "kith: Hnsw: max_links must be between 4 and 64");
    static_assert(P.ef_construction > 0, "kith: Hnsw: ef_construction must be positive");

    /// Where no distance is below zero, how far a walk stretches; else how many candidates it keeps.
    template <class M>
    static constexpr bool stretches = !std::same_as<M, InnerProduct>;

    template <class M>
    static constexpr auto ladder =
        stretches<M> ? std::array{1.0F, 1.02F, 1.05F, 1.1F, 1.15F, 1.2F, 1.25F, 1.3F, 1.35F, 1.4F, 1.5F, 1.7F, 2.0F}
                     : std::array{10.0F,  16.0F,  24.0F,  32.0F,  48.0F,  64.0F,  96.0F,
                                  128.0F, 192.0F, 256.0F, 400.0F, 700.0F, 1500.0F};

    template <class M>
    static void try_as_hard(float effort, SearchParams& search) noexcept {
        // A walk that is not near its end by then had better be given up.
        const std::size_t most_kept = std::max<std::size_t>(2000, 4 * search.limit);
        const auto kept = stretches<M> ? static_cast<float>(most_kept) : effort * beyond_measured(search.limit);
        search.stretch = stretches<M> ? effort : 0;
        search.ef_search = static_cast<std::uint32_t>(std::min(kept, 1e9F));
    }

    template <class R>
    using Index = HnswIndex<R>;

    template <class R>
    [[nodiscard]] static HnswIndex<R> make(Slot capacity) {
        return HnswIndex<R>(P, capacity);
    }

    template <class R>
    [[nodiscard]] static IndexSpace space(std::size_t, Slot count) noexcept {
        return HnswIndex<R>::space(P, count);
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    template <class R>
    [[nodiscard]] static HnswIndex<R> map(const ImageBytes& image, Slot count) {
        return HnswIndex<R>::map(image, count);
    }
};

template <HnswParams P, class Q>
struct HnswBase : Coded<HnswOverRows<P>, Q> {
    static constexpr HnswParams params = P;
};
template <HnswParams P>
struct HnswBase<P, void> : HnswOverRows<P> {};

}  // namespace detail

/// Walks a graph: nearly exact, in logarithmic time. With a quantizer the graph is built and walked over codes, and the
/// best are compared again by their full vectors: Hnsw<HnswParams{.max_links = 16}, Sq8>.
template <HnswParams P = HnswParams{}, class Q = void>
struct Hnsw : detail::HnswBase<P, Q> {};

namespace detail {

/// Below so many elements codes save little and lose much.
inline constexpr std::size_t coded_from_dim = 32;

}  // namespace detail

/// The index that a vector of `dim` elements gets when its schema names none: a graph, over codes of 4 bits an element
/// where the vectors are long enough for them. On the sets that docs/benchmarks.md names it answers most queries a
/// second of all that take at most 1.2 times the bytes of a float graph. Few vectors are compared one by one, whatever
/// the index. Elements of one byte are as short as codes are, and have none.
template <std::size_t dim, class T = float>
using AutoIndex = std::conditional_t<(dim < detail::coded_from_dim || sizeof(T) == 1), Hnsw<>, Hnsw<HnswParams{}, Sq4>>;

}  // namespace kith::inline v0_single

// kith/index/typed_vector_index.hpp — a VectorIndex of one metric, index and element, and the functions that make it.
//
// What is behind the virtual call is all known to the compiler. What is decided here is how an index and a scan share
// a search: the scan takes what the index does not hold yet, and everything where walking would cost more.
//
// Thread safety: as VectorIndex.

// kith/index/calibrate.hpp — measuring the recall of an index against its own exact search.
//
// Thread safety: reads only; may run beside searches.

// kith/index/recall_curve.hpp — how hard a search must try for the recall that is asked of it.
//
// How far a walk must go depends on the data: the same setting finds nine in ten neighbours in one set and all in
// another. So an index is asked for neighbours that are known, at a ladder of efforts, and the shares it finds are
// kept. What an effort is, the index says: how far a graph search stretches, how many candidates it keeps, how many
// lists are read.
//
// The questions are vectors of the index itself, each taken out of its own answer. The neighbours of a vector that is
// in a graph are easier to find than those of one that is not, since its links lead to them. So the vector is taken out
// of the walk as well. What then cannot be found at any effort was linked through it, and no fault of the effort: the
// curve is scaled to end where that of the whole graph does. On four real sets unseen queries find what it says or a
// little more.
//
//   image = magic:8 version:u32 count:u32 rows:u32 rungs
//   rung  = effort:f32 at_10:f32 at_100:f32          `count` of them; zeros up to 256 bytes
//
// Thread safety: a curve is only read once it is made.

namespace kith::inline v0_single {

/// One effort and the share of the true neighbours it finds.
struct RecallRung {
    float effort = 0;
    float at_10 = 0;   ///< of the nearest 10
    float at_100 = 0;  ///< of the nearest 100

    friend bool operator==(const RecallRung&, const RecallRung&) noexcept = default;
};

class RecallCurve {
public:
    static constexpr std::size_t most_rungs = 19;    // on disk: the image has room for so many
    static constexpr std::size_t image_bytes = 256;  // on disk

    RecallCurve() noexcept = default;

    /// Requires: efforts rise; there are at most most_rungs.
    /// A share that falls where the effort rises is noise, and is lifted to the one before it.
    explicit RecallCurve(std::vector<RecallRung> rungs, Slot rows = 0) : rungs_(std::move(rungs)), rows_(rows) {
        for (std::size_t i = 1; i < rungs_.size(); ++i) {
            rungs_[i].at_10 = std::max(rungs_[i].at_10, rungs_[i - 1].at_10);
            rungs_[i].at_100 = std::max(rungs_[i].at_100, rungs_[i - 1].at_100);
        }
    }

    [[nodiscard]] bool empty() const noexcept { return rungs_.empty(); }
    [[nodiscard]] std::span<const RecallRung> rungs() const noexcept { return rungs_; }

    /// Slots the index had when this was measured.
    [[nodiscard]] Slot rows() const noexcept { return rows_; }

    /// The least effort that finds the share `recall` of the nearest `limit`, between rungs on a straight line; nothing
    /// where no effort of the ladder does.
    [[nodiscard]] std::optional<float> effort_for(double recall, std::size_t limit) const noexcept {
        for (std::size_t i = 0; i < rungs_.size(); ++i) {
            const double found = share(rungs_[i], limit);
            constexpr double rounding = 1e-6;  // shares are floats
            if (found + rounding < recall) continue;
            if (i == 0) return rungs_[0].effort;
            const double before = share(rungs_[i - 1], limit);
            const double part = std::clamp((recall - before) / (found - before), 0.0, 1.0);
            const double step = static_cast<double>(rungs_[i].effort) - static_cast<double>(rungs_[i - 1].effort);
            return static_cast<float>(static_cast<double>(rungs_[i - 1].effort) + part * step);
        }
        return std::nullopt;
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return sizeof(*this) + rungs_.capacity() * sizeof(RecallRung);
    }

    [[nodiscard]] std::string image() const {
        std::string bytes;
        ByteWriter writer(bytes);
        writer.bytes(magic);
        writer.u32(version);
        writer.u32(static_cast<std::uint32_t>(rungs_.size()));
        writer.u32(rows_);
        for (const RecallRung& rung : rungs_) {
            writer.f32(rung.effort);
            writer.f32(rung.at_10);
            writer.f32(rung.at_100);
        }
        bytes.resize(image_bytes);
        return bytes;
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static RecallCurve from_image(std::string_view bytes) {
        ByteReader reader(bytes);
        std::string_view found_magic;
        std::uint32_t found_version = 0, count = 0, rows = 0;
        if (!reader.bytes(magic.size(), found_magic) || found_magic != magic) {
            raise(Errc::corrupt, "recall curve: no magic number at offset 0");
        }
        if (!reader.u32(found_version) || found_version != version) {
            raise(Errc::unsupported_version, "recall curve: has version " + std::to_string(found_version) +
                                                 ", this build reads " + std::to_string(version));
        }
        if (!reader.u32(count) || count > most_rungs)
            raise(Errc::corrupt, "recall curve: impossible count at offset 12");
        if (!reader.u32(rows)) raise(Errc::corrupt, "recall curve: ends within its header");
        std::vector<RecallRung> rungs(count);
        float before = 0;
        for (RecallRung& rung : rungs) {
            const bool whole = reader.f32(rung.effort) && reader.f32(rung.at_10) && reader.f32(rung.at_100);
            if (!whole || !(rung.effort > before) || !(rung.effort <= most_effort) || !is_share(rung.at_10) ||
                !is_share(rung.at_100)) {
                raise(Errc::corrupt, "recall curve: a rung is no effort above the one before and two shares");
            }
            before = rung.effort;
        }
        return RecallCurve(std::move(rungs), rows);
    }

private:
    static constexpr std::string_view magic = "kithcurv";  // on disk
    static constexpr std::uint32_t version = 1;            // on disk

    /// Between 10 and 100 on a logarithmic scale, the nearer of both outside.
    static double share(const RecallRung& rung, std::size_t limit) noexcept {
        const double at_10 = static_cast<double>(rung.at_10), at_100 = static_cast<double>(rung.at_100);
        if (limit <= 10) return at_10;
        if (limit >= 100) return at_100;
        return at_10 + (at_100 - at_10) * (std::log10(static_cast<double>(limit)) - 1);
    }

    static constexpr float most_effort = 1e6F;
    static bool is_share(float share) noexcept { return share >= 0 && share <= 1.001F; }  // sums of 200 roundings

    std::vector<RecallRung> rungs_;  // by rising effort, shares never falling
    Slot rows_ = 0;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

inline constexpr std::size_t calibration_questions = 200;  // of 10 neighbours each: the share errs by about 0.01

/// Takes `self` out of `found` and keeps the first `count` of the rest.
inline std::size_t drop_self(std::span<Neighbor> found, Slot self, std::size_t count) noexcept {
    const auto rest = std::remove_if(found.begin(), found.end(), [&](const Neighbor& at) { return at.slot == self; });
    return std::min(count, static_cast<std::size_t>(rest - found.begin()));
}

/// Neighbours found of those that are true, both without the vector that asked: between 0 and 1. Ties count.
/// Shape: `truth` is sorted and holds at least one.
inline float share_found(std::span<const Neighbor> truth, std::span<const Neighbor> found) noexcept {
    const auto hits = std::count_if(found.begin(), found.end(),
                                    [&](const Neighbor& at) { return !(at.distance > truth.back().distance); });
    return std::min(1.0F, static_cast<float>(hits) / static_cast<float>(truth.size()));
}

/// The shares of true neighbours found at each effort of `ladder`, which rises.
/// exact(slot, limit, out) and walk(slot, absent, limit, effort, out) return how many neighbours of that slot's vector
/// they found among `count` slots, the walk as if slot `absent` were not there. Throws: what they and training.progress
/// throw, Errc::cancelled. Cost: 200 exact searches, more among copies, and up to
/// 400 walks for each effort.
template <class Exact, class Walk>
RecallCurve calibrate(Slot count, std::span<const float> ladder, const Exact& exact, const Walk& walk,
                      const Training& training) {
    constexpr std::size_t deep = 100;
    constexpr std::size_t limits[] = {10, deep};
    std::vector<std::array<float, 2>> found_without(ladder.size());
    std::array<float, 2> found_with{};
    std::vector<Neighbor> truth(deep + 1), found(deep + 1);
    SplitMix64 random(count);
    for (std::size_t question = 0; question < calibration_questions; ++question) {
        training.report(static_cast<double>(question) / calibration_questions);
        Slot slot = 0;
        std::size_t known = 0;
        // Copies of one vector are found all or none, which says nothing of others: those are asked, if there are any.
        constexpr int tries = 4;
        for (int i = 0; i < tries; ++i) {
            slot = static_cast<Slot>(random.below(count));
            known = drop_self(std::span(truth).first(exact(slot, deep + 1, truth.data())), slot, deep);
            if (known > 0 && truth[0].distance < truth[std::min(known, limits[0]) - 1].distance) break;
        }
        if (known == 0) continue;
        for (std::size_t which = 0; which < 2; ++which) {
            const auto true_ones = std::span(truth).first(std::min(limits[which], known));
            const auto share = [&](Slot absent, float effort) {
                // One more than is counted: lists and scans know of no absent slot, and return it.
                const std::size_t got = walk(slot, absent, limits[which] + 1, effort, found.data());
                const std::size_t kept = drop_self(std::span(found).first(got), slot, limits[which]);
                return share_found(true_ones, std::span(found).first(kept));
            };
            // Who has found all is not asked again: with more effort, or with less to go around, all is found too.
            float found_now = 0;
            for (std::size_t i = 0; i < ladder.size(); ++i) {
                if (found_now < 1) found_now = share(slot, ladder[i]);
                found_without[i][which] += found_now / float{calibration_questions};
            }
            if (found_now < 1) found_now = share(no_slot, ladder.back());
            found_with[which] += found_now / float{calibration_questions};
        }
    }
    std::vector<RecallRung> rungs;
    for (std::size_t i = 0; i < ladder.size(); ++i) {
        const auto reachable = [&](std::size_t which) {
            const float most = found_without.back()[which];
            return most > 0 ? std::min(1.0F, found_without[i][which] * found_with[which] / most) : 0.0F;
        };
        rungs.push_back({ladder[i], reachable(0), reachable(1)});
    }
    return RecallCurve(std::move(rungs), count);
}

}  // namespace kith::inline v0_single::detail

// kith/index/row_memory.hpp — the rows of one vector field: appended in memory, or mapped from their image.
//
//   image  = header rows
//   header = magic:8 version:u32 dim:u32 stride:u32 count:u32 element:u32
//            dim in dimensions, stride in elements, element a number for their type; zeros up to 64 bytes
//   rows   = count rows of stride elements, as RawRows lays them out
//
// All of it little-endian, mapped as it is. Whoever stores the image adds the checksum.
//
// Thread safety: one writer appends; rows that were appended before may be read by any thread.

namespace kith::inline v0_single::detail {

template <class T, class M>
class RowMemory {
public:
    using View = RawRows<T, M>;

    /// Room for `capacity` rows.
    RowMemory(std::size_t dim, Slot capacity)
        : dim_(dim),
          stride_(View::stride_for(dim)),
          capacity_(capacity),
          memory_(stride_ * sizeof(T) * capacity),
          data_(reinterpret_cast<const T*>(memory_.data())),
          kernels_(View::kernels_for(best_isa())) {}

    /// The rows that save() wrote, over bytes that outlive this.
    /// Requires: image.data() is aligned to 64 bytes.
    /// Throws: Errc::corrupt, Errc::unsupported_version.
    RowMemory(std::size_t dim, Slot count, const ImageBytes& image)
        : dim_(dim),
          stride_(View::stride_for(dim)),
          capacity_(count),
          data_(mapped_rows(image)),
          kernels_(View::kernels_for(best_isa())),
          residency_(image.residency),
          size_(count) {}

    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] Slot size() const noexcept { return size_.load(std::memory_order_acquire); }
    [[nodiscard]] View view() const noexcept { return View(data_, dim_, kernels_, residency_); }

    /// Requires: size() is below the capacity; the rows are not mapped.
    void append(const float* vector) noexcept {
        const Slot slot = size();
        View::write_row(next_row(slot), vector, dim_);
        size_.store(slot + 1, std::memory_order_release);
    }

    /// The same for a vector that is made of T already.
    void append_elements(const T* elements) noexcept {
        const Slot slot = size();
        View::write_elements(next_row(slot), elements, dim_);
        size_.store(slot + 1, std::memory_order_release);
    }

    /// Copies the rows of `other`. Requires: this is empty and has room for them; they are of the same dimension.
    void adopt(const RowMemory& other) noexcept {
        const Slot count = other.size();
        KITH_ASSERT(size() == 0 && count <= capacity_ && dim_ == other.dim_);
        if (count > 0) copy_held(other.residency_, next_row(0), other.data_, stride_ * sizeof(T) * count);
        size_.store(count, std::memory_order_release);
    }

    /// Bytes of memory that rows were written to; 0 when they are mapped.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return memory_.data() == nullptr ? 0 : stride_ * sizeof(T) * size();
    }
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) noexcept {
        const std::uint64_t bytes = std::uint64_t{View::stride_for(dim)} * sizeof(T) * count;
        return {bytes, header_bytes + bytes};
    }

    [[nodiscard]] Slot capacity() const noexcept { return capacity_; }

    void truncate(Slot count) noexcept {
        if (count < size()) size_.store(count, std::memory_order_release);
    }

    /// Calls sink(data, bytes) for the image, piece by piece.
    /// Throws: Errc::unsupported_version on a big-endian machine; what the sink throws.
    template <class Sink>
    void save(const Sink& sink) const {
        if constexpr (std::endian::native != std::endian::little) {
            raise(Errc::unsupported_version, "row image: this format is for little-endian machines");
        }
        const std::string header = header_of(size());
        sink(header.data(), header.size());
        if (size() > 0) sink(data_, stride_ * sizeof(T) * size());
    }

private:
    static constexpr std::string_view magic = "kithrows";  // on disk
    static constexpr std::uint32_t version = 1;            // on disk
    static constexpr std::size_t header_bytes = 64;        // on disk

    // On disk: never change.
    static constexpr std::uint32_t element_number = std::same_as<T, float>          ? 0
                                                    : std::same_as<T, Half>         ? 1
                                                    : std::same_as<T, Bfloat16>     ? 2
                                                    : std::same_as<T, std::int8_t>  ? 3
                                                    : std::same_as<T, std::uint8_t> ? 4
                                                                                    : 5;

    [[nodiscard]] T* next_row(Slot slot) noexcept {
        KITH_ASSERT(slot < capacity_ && memory_.data() != nullptr);
        return reinterpret_cast<T*>(memory_.data()) + slot * stride_;
    }

    [[nodiscard]] std::string header_of(Slot count) const {
        std::string header;
        ByteWriter writer(header);
        writer.bytes(magic);
        writer.u32(version);
        writer.u32(static_cast<std::uint32_t>(dim_));
        writer.u32(static_cast<std::uint32_t>(stride_));
        writer.u32(count);
        writer.u32(element_number);
        header.resize(header_bytes);
        return header;
    }

    [[nodiscard]] const T* mapped_rows(const ImageBytes& image) const {
        const Held held = image.hold(0, header_bytes);
        const std::string_view bytes(reinterpret_cast<const char*>(image.data()), image.size());
        const std::string expected = header_of(capacity_);
        constexpr std::size_t version_at = magic.size();
        if (bytes.substr(0, magic.size()) != magic) raise(Errc::corrupt, "row image: no magic number at offset 0");
        std::uint32_t found = version;
        static_cast<void>(ByteReader(bytes.substr(version_at)).u32(found));
        if (found != version || std::endian::native != std::endian::little) {
            raise(Errc::unsupported_version,
                  "row image: has version " + std::to_string(found) + ", this build reads " + std::to_string(version));
        }
        if (bytes.substr(0, header_bytes) != expected) {
            raise(Errc::corrupt, "row image: the header from offset 12 is not that of " + std::to_string(capacity_) +
                                     " rows of " + std::to_string(dim_) + " elements of type " +
                                     std::string(element_name<T>));
        }
        const std::size_t whole = header_bytes + stride_ * sizeof(T) * capacity_;
        if (bytes.size() != whole) {
            raise(Errc::corrupt,
                  "row image: holds " + std::to_string(bytes.size()) + " bytes instead of " + std::to_string(whole));
        }
        return reinterpret_cast<const T*>(bytes.data() + header_bytes);
    }

    std::size_t dim_;
    std::size_t stride_;  // View::stride_for(dim_)
    Slot capacity_;
    ReservedMemory memory_;  // empty when the rows are mapped
    const T* data_;          // row s begins at data_ + s * stride_
    Kernels<T> kernels_;
    Residency* residency_ = nullptr;  // of mapped rows, where someone brings them in
    std::atomic<Slot> size_ = 0;
};

}  // namespace kith::inline v0_single::detail

// kith/index/search_many.hpp — exact answers by several threads: many queries shared among them, or the rows of one.
//
// Enough queries keep every thread busy with its own, and each of them passes over the rows once. Fewer queries than
// threads are answered one after the other, and then it is the rows that are shared.
//
// Thread safety: reads only; each thread works in a scratch of its own.

namespace kith::inline v0_single::detail {

/// One query, its rows shared among as many threads as there are scratches. Returns how many neighbours there are.
/// Shape: `out` has room for `limit`.
template <Rows R>
std::size_t search_in_parts(const R& rows, const float* query, std::size_t limit, BitsetView allowed,
                            std::span<SearchScratch* const> scratches, Neighbor* out) {
    const std::size_t parts = scratches.size();
    const std::size_t words = (std::size_t{allowed.count()} + 63) / 64;
    const auto begin_of = [&](std::size_t part) {
        return static_cast<Slot>(std::min<std::size_t>(words * part / parts * 64, allowed.count()));
    };
    share_work(static_cast<unsigned>(parts), parts, [&](std::size_t part, unsigned thread) {
        std::vector<Neighbor>& kept = scratches[part]->neighbors;
        kept.resize(limit);
        TopK best(kept);
        scan(rows.scorer(query, scratches[thread]->query), begin_of(part), begin_of(part + 1), allowed, best);
        kept.resize(best.sorted().size());
    });
    TopK best(std::span(out, limit));
    for (const SearchScratch* scratch : scratches) {
        for (const Neighbor& neighbor : scratch->neighbors) best.offer(neighbor);
    }
    return best.sorted().size();
}

/// Calls act(first, size, thread) for parts of `count` queries that a thread each answers at once.
template <class Act>
void share_batches(std::size_t count, std::size_t threads, const Act& act) {
    if (count == 0) return;
    constexpr std::size_t whole = 32;  // queries in a panel of the widest kernel
    const std::size_t share = (count + threads - 1) / threads;
    const std::size_t piece = std::min(widest_batch, share < whole ? share : (share + whole - 1) / whole * whole);
    share_work(static_cast<unsigned>(threads), (count + piece - 1) / piece,
               [&](std::size_t at, unsigned thread) { act(at * piece, std::min(piece, count - at * piece), thread); });
}

/// As search_batch, with as many threads as there are scratches.
template <Rows R>
void search_batch_in_threads(const R& rows, const float* queries, std::size_t count, std::size_t limit,
                             BitsetView allowed, std::span<SearchScratch* const> scratches, Neighbor* out,
                             std::size_t* found) {
    const std::size_t threads = scratches.size();
    if (count < threads) {
        for (std::size_t at = 0; at < count; ++at) {
            found[at] = search_in_parts(rows, queries + at * rows.dim(), limit, allowed, scratches, out + at * limit);
        }
        return;
    }
    const Isa isa = best_isa();
    share_batches(count, threads, [&](std::size_t first, std::size_t size, unsigned thread) {
        search_batch(rows, queries + first * rows.dim(), size, limit, allowed, *scratches[thread], out + first * limit,
                     found + first, isa);
    });
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

template <class M, class Tag, class T = float>
class TypedVectorIndex final : public VectorIndex {
    using View = RawRows<T, M>;

public:
    /// Throws: Errc::invalid_argument, Errc::limit_exceeded.
    TypedVectorIndex(std::size_t dim, Slot capacity)
        : rows_(fitting(dim), capacity), index_(Tag::template make<View>(capacity)) {}

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    TypedVectorIndex(std::size_t dim, Slot count, const ImageBytes& rows, const ImageBytes& graph)
        : rows_(dim, count, rows), index_(Tag::template map<View>(index_image(graph), count)), offered_(count) {
        if constexpr (requires { index_.dim(); }) {
            if (index_.size() > 0 && index_.dim() != dim) {
                raise(Errc::corrupt, "code image: its codes are of " + std::to_string(index_.dim()) +
                                         " elements, the rows of " + std::to_string(dim));
            }
        }
        if constexpr (!ladder.empty()) {
            const Held held = graph.hold(0, RecallCurve::image_bytes);
            const std::string_view bytes(reinterpret_cast<const char*>(graph.data()), RecallCurve::image_bytes);
            RecallCurve curve = RecallCurve::from_image(bytes);
            if (curve.rows() > count) raise(Errc::corrupt, "recall curve: measured over more rows than there are");
            if (!curve.empty()) keep(std::move(curve));
        }
    }

    [[nodiscard]] std::size_t dim() const noexcept override { return rows_.dim(); }
    [[nodiscard]] Slot rows() const noexcept override { return rows_.size(); }
    [[nodiscard]] Slot indexed() const noexcept override { return offered_.load(std::memory_order_acquire); }

    void append(const float* vector) noexcept override { rows_.append(vector); }
    bool adopt(const VectorIndex& other) override {
        KITH_ASSERT(rows() == 0 && indexed() == 0);
        if (other.kind() != kind() || other.dim() != dim()) return false;
        const auto& same = static_cast<const TypedVectorIndex&>(other);
        KITH_ASSERT(same.rows() <= rows_.capacity());
        const Slot offered = same.indexed();
        if (!index_.adopt(rows_.view(), same.index_)) return false;
        rows_.adopt(same.rows_);
        if (const RecallCurve* const curve = same.newest_.load(std::memory_order_acquire)) {
            keep(*curve);
            if constexpr (requires { index_.lessons(); }) {
                if (same.measured_lessons_ == same.index_.lessons()) measured_lessons_ = index_.lessons();
            }
        }
        offered_.store(offered, std::memory_order_release);
        return true;
    }

    void truncate(Slot count) noexcept override { rows_.truncate(count); }
    void index_up_to(Slot count, unsigned threads) override {
        if (count <= indexed()) return;
        index_.insert(rows_.view(), count, threads);
        offered_.store(count, std::memory_order_release);
    }

    void vector(Slot slot, float* out) const noexcept override { rows_.view().decode(slot, out); }

    std::size_t search(const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const override {
        const Slot count = params.allowed.count();
        const Slot allowed = params.allowed.count_allowed();
        const std::size_t limit = std::min<std::size_t>(params.limit, allowed);
        if (limit == 0) return 0;
        const SearchWay way = way_of(params, allowed);
        if (way != SearchWay::indexed) return search_exact(query, params, scratch, out);
        const Slot indexed = std::min(index_.size(), count);
        SearchParams walk = params;
        walk.limit = limit;
        walk.allowed = params.allowed.first(indexed);
        scratch.neighbors.resize(limit);
        const View rows = rows_.view();
        const std::size_t walked = index_.search(rows, query, walk, scratch, scratch.neighbors.data());
        TopK best(std::span(out, limit));
        for (std::size_t i = 0; i < walked; ++i) best.offer(scratch.neighbors[i]);
        if (indexed < count) detail::scan(rows.scorer(query, scratch.query), indexed, count, params.allowed, best);
        // What the walk could not reach from where it began is found the long way.
        if (best.size() < limit && std::isinf(params.bound)) return search_exact(query, params, scratch, out);
        return best.sorted().size();
    }

    [[nodiscard]] SearchPlan plan(const SearchParams& params) const noexcept override {
        return {Tag::name, way_of(params, params.allowed.count_allowed()),
                std::min(index_.size(), params.allowed.count()), calibrated(), params};
    }

    std::size_t search_exact(const float* query, const SearchParams& params, SearchScratch& scratch,
                             Neighbor* out) const override {
        TopK best(std::span(out, std::min<std::size_t>(params.limit, params.allowed.count())));
        detail::scan(rows_.view().scorer(query, scratch.query), 0, params.allowed.count(), params.allowed, best);
        return best.sorted().size();
    }

    void search_many(const float* queries, std::size_t count, const SearchParams& params,
                     std::span<SearchScratch* const> scratches, Neighbor* out, std::size_t* found,
                     const float* bounds) const override {
        if (way_of(params, params.allowed.count_allowed()) != SearchWay::indexed) {
            search_exact_many(queries, count, params, scratches, out, found);
            return;
        }
        const std::size_t width = std::min<std::size_t>(params.limit, params.allowed.count());
        if constexpr (Tag::reads_all && !ladder.empty()) {
            if (index_.size() >= params.allowed.count()) {
                detail::share_batches(count, scratches.size(),
                                      [&](std::size_t first, std::size_t size, unsigned thread) {
                                          index_.search_batch(rows_.view(), queries + first * dim(), size, params,
                                                              *scratches[thread], out + first * width, found + first);
                                      });
                return;
            }
        }
        share_work(static_cast<unsigned>(scratches.size()), count, [&](std::size_t at, unsigned thread) {
            SearchParams one = params;
            if (bounds != nullptr) one.bound = bounds[at];
            found[at] = search(queries + at * dim(), one, *scratches[thread], out + at * width);
        });
    }

    void search_exact_many(const float* queries, std::size_t count, const SearchParams& params,
                           std::span<SearchScratch* const> scratches, Neighbor* out,
                           std::size_t* found) const override {
        const std::size_t width = std::min<std::size_t>(params.limit, params.allowed.count());
        detail::search_batch_in_threads(rows_.view(), queries, count, width, params.allowed, scratches, out, found);
    }

    [[nodiscard]] bool calibration_due() const noexcept override {
        if (ladder.empty() || !answers_by_effort()) return false;
        if constexpr (requires { index_.outgrown(); }) {
            if (index_.outgrown()) return true;
        }
        if constexpr (requires { index_.lessons(); }) {
            if (index_.lessons() != measured_lessons_) return true;
        }
        return index_.size() / 2 >= calibrated();
    }

    void calibrate(const Training& training) override {
        if constexpr (!ladder.empty()) {
            if (!answers_by_effort()) return;
            if constexpr (requires { index_.outgrown(); }) {
                if (index_.outgrown()) {
                    newest_.store(nullptr, std::memory_order_release);  // it is about other lists
                    index_.retrain(rows_.view(), training);
                }
            }
            const Slot count = index_.size();
            if constexpr (requires { index_.lessons(); }) {
                if (count == calibrated() && index_.lessons() == measured_lessons_) return;
                measured_lessons_ = index_.lessons();
            } else {
                if (count == calibrated()) return;
            }
            SearchScratch scratch;
            std::vector<float> floats(dim());
            const auto exact = [&](Slot slot, std::size_t limit, Neighbor* out) {
                return search_exact(rows_.view().floats(slot, floats.data()), {limit, 1, BitsetView(count)}, scratch,
                                    out);
            };
            const auto walk = [&](Slot slot, Slot absent, std::size_t limit, float effort, Neighbor* out) {
                SearchParams params{limit, 1, BitsetView(count)};
                Tag::template try_as_hard<M>(effort, params);
                params.absent = absent;
                return index_.search(rows_.view(), rows_.view().floats(slot, floats.data()), params, scratch, out);
            };
            keep(detail::calibrate(count, ladder, exact, walk, training));
        }
    }

    [[nodiscard]] Slot calibrated() const noexcept override {
        const RecallCurve* const newest = newest_.load(std::memory_order_acquire);
        return newest == nullptr ? 0 : newest->rows();
    }

    [[nodiscard]] std::optional<SearchParams> tuned(double recall, SearchParams params) const noexcept override {
        if constexpr (ladder.empty()) {
            return params;
        } else {
            if (!(recall < 1)) return std::nullopt;  // a sample can promise much, but not all
            const RecallCurve* const newest = newest_.load(std::memory_order_acquire);
            if (newest == nullptr) {
                Tag::template try_as_hard<M>(ladder[ladder.size() - 3], params);
                return params;
            }
            const std::optional<float> effort = newest->effort_for(1 - kept_misses * (1 - recall), params.limit);
            if (!effort.has_value()) return std::nullopt;
            Tag::template try_as_hard<M>(*effort, params);
            return params;
        }
    }

    [[nodiscard]] float score(float distance) const noexcept override { return M::score(distance); }

    void save_rows(const ByteSink& sink) const override { rows_.save(sink); }
    /// The image of the index, behind that of its recall curve where it has one.
    void save_graph(const ByteSink& sink) const override {
        if constexpr (!ladder.empty()) {
            const RecallCurve* const newest = newest_.load(std::memory_order_acquire);
            const std::string image = newest == nullptr ? RecallCurve().image() : newest->image();
            sink(image.data(), image.size());
        }
        index_.save(sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept override {
        std::size_t bytes = sizeof(*this) + rows_.memory_bytes() + index_.memory_bytes();
        for (const auto& curve : curves_) bytes += curve->memory_bytes();
        return bytes;
    }

    /// See vector_index_space.
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        IndexSpace all{sizeof(TypedVectorIndex), ladder.empty() ? 0 : RecallCurve::image_bytes};
        all += detail::RowMemory<T, M>::space(fitting(dim), count);
        return all += Tag::template space<View>(dim, count);
    }

    [[nodiscard]] const void* kind() const noexcept override {
        static constexpr char address = 0;
        return &address;
    }

private:
    static constexpr auto ladder = Tag::template ladder<M>;

    /// The share of the misses one may make that is counted on: the curve is measured with a sample of questions.
    static constexpr double kept_misses = 0.75;

    /// Whether there is something that more effort finds more in: an index that is not trained compares all.
    [[nodiscard]] bool answers_by_effort() const noexcept {
        if constexpr (requires { index_.trained(); }) return index_.trained();
        return index_.size() > 0;
    }

    void keep(RecallCurve curve) {
        curves_.push_back(std::make_unique<const RecallCurve>(std::move(curve)));
        newest_.store(curves_.back().get(), std::memory_order_release);
    }

    static std::size_t fitting(std::size_t dim) {
        if (fits_dimension<Tag>(dim)) return dim;
        raise(Errc::invalid_argument, "index '" + std::string(Tag::name) + "' cannot be for vectors of " +
                                          std::to_string(dim) + " elements: its sub-vectors do not divide them");
    }

    /// The part of a graph image that belongs to the index itself.
    static ImageBytes index_image(const ImageBytes& image) {
        if constexpr (ladder.empty()) return image;
        if (image.size() < RecallCurve::image_bytes) {
            raise(Errc::corrupt, "recall curve: ends at offset " + std::to_string(image.size()));
        }
        return image.subspan(RecallCurve::image_bytes);
    }

    [[nodiscard]] SearchWay way_of(const SearchParams& params, Slot allowed) const noexcept {
        if constexpr (ladder.empty()) return SearchWay::compare_all;
        if constexpr (Tag::reads_all) return index_.size() == 0 ? SearchWay::not_indexed : SearchWay::indexed;
        // A walk that ends by distance expands a hundred nodes or two, whatever it might keep.
        const std::size_t ef = params.stretch > 0 ? std::min<std::size_t>(params.ef_search, 100) : params.ef_search;
        const std::size_t limit = std::min<std::size_t>(params.limit, allowed);
        if (scan_is_cheaper(allowed, params.allowed.count(), std::max(limit, ef))) return SearchWay::scan_cheaper;
        return answers_by_effort() ? SearchWay::indexed : SearchWay::not_indexed;
    }

    /// A walk expands about ef / (share of allowed) nodes. Each costs as much as `rows_a_node` rows read in order.
    static bool scan_is_cheaper(Slot allowed, Slot count, std::size_t ef) noexcept {
        constexpr double rows_a_node = 16;  // between 7 and 30 for 784 to 100 dimensions, at the pass rates in question
        const double expanded = static_cast<double>(ef) * static_cast<double>(count) / static_cast<double>(allowed);
        return static_cast<double>(allowed) <= rows_a_node * expanded;
    }

    detail::RowMemory<T, M> rows_;
    typename Tag::template Index<View> index_;
    std::atomic<Slot> offered_ = 0;     // at least index_.size(): an index may wait for more vectors to learn from
    std::size_t measured_lessons_ = 0;  // what codes had learned when recall was measured last
    std::vector<std::unique_ptr<const RecallCurve>> curves_;  // kept, for a search may be reading any of them
    std::atomic<const RecallCurve*> newest_ = nullptr;        // the last of curves_, or null where it is out of date
};

/// An empty index in memory for up to `capacity` vectors of `dim` dimensions, kept as elements T.
/// Throws: Errc::invalid_argument for a dimension that the index cannot be for, Errc::limit_exceeded.
template <class M, class Tag, class T = float>
[[nodiscard]] std::unique_ptr<VectorIndex> make_vector_index(std::size_t dim, Slot capacity) {
    return std::make_unique<TypedVectorIndex<M, Tag, T>>(dim, capacity);
}

/// An index of `count` vectors over the images that save_rows and save_graph wrote; nothing is copied. An image that is
/// larger than memory comes with its Residency, which the index tells what it reads.
/// Requires: the bytes outlive the index, begin at multiples of 64, and were checked against their checksums, or are
///           when they are brought into memory.
/// Throws: Errc::corrupt, Errc::unsupported_version; the text names image and offset.
template <class M, class Tag, class T = float>
[[nodiscard]] std::unique_ptr<VectorIndex> map_vector_index(std::size_t dim, Slot count, const ImageBytes& rows,
                                                            const ImageBytes& graph) {
    return std::make_unique<TypedVectorIndex<M, Tag, T>>(dim, count, rows, graph);
}

/// What an index of `count` vectors of `dim` dimensions takes when they come a few at a time: in memory until it is
/// saved, and in the images that save_rows and save_graph write. Both are within a few in a hundred.
/// Throws: Errc::invalid_argument for a dimension that the index cannot be for.
template <class M, class Tag, class T = float>
[[nodiscard]] IndexSpace vector_index_space(std::size_t dim, Slot count) {
    return TypedVectorIndex<M, Tag, T>::space(dim, count);
}

}  // namespace kith::inline v0_single

// kith/schema/schema.hpp — a plain struct and what its user says about it, as one type.
//
// Everything a collection needs of a record comes from here: the fields, the key, the rows, the vectors, the rules.
// The checks stand first and speak in sentences, for they are what a newcomer meets.
//
// Thread safety: everything is static and without state.

// kith/schema/attributes.hpp — what a user says about the members of a record.
//
// An attribute names a member by its pointer, so the compiler checks the name and no string is written twice. The types
// here hold nothing: a Schema reads them from its argument list. They know neither metrics nor indexes, which are
// columns of their own; anything with a `name` will do.

namespace kith::inline v0_single {

/// Anything with a stored name: a metric, or the tag of an index.
template <class T>
concept Named = requires {
    { T::name } -> std::convertible_to<std::string_view>;
};

/// The type of `indexed`.
struct Indexed {
    friend constexpr bool operator==(Indexed, Indexed) noexcept = default;
};

/// Asks for a field to be found without reading every record: `Field<&Record::member, indexed>`.
inline constexpr Indexed indexed{};

/// The index a VectorField gets when it names none; the collection picks one.
struct DefaultIndex {
    static constexpr std::string_view name = "default";
};

/// The member that tells records apart: a std::string or an integer of 32 or 64 bits.
template <auto Member>
struct Key {};

/// Says more about a member than its type does. Members without an attribute are stored all the same.
template <auto Member, auto... Settings>
struct Field {};

/// A member of type std::array<float, N> whose nearest neighbours will be asked for.
/// `Metric` has a `name`. `IndexTag` has a `name` and, where it has settings, `static std::string parameters()`; both
/// are part of the stored schema.
template <auto Member, class Metric, class IndexTag = DefaultIndex>
struct VectorField {};

namespace detail {

/// What an attribute says of the member it names.
enum class Role : unsigned char { none, key, field, vector };

/// An attribute taken apart; anything else is no attribute.
template <class>
struct Attribute {
    static constexpr Role role = Role::none;
};

template <auto Member>
struct Attribute<Key<Member>> {
    static constexpr Role role = Role::key;
    static constexpr auto member = Member;
    static constexpr bool settings_known = true;
    static constexpr bool is_indexed = false;
};

template <auto Member, auto... Settings>
struct Attribute<Field<Member, Settings...>> {
    static constexpr Role role = Role::field;
    static constexpr auto member = Member;
    static constexpr bool settings_known = (std::is_same_v<std::remove_const_t<decltype(Settings)>, Indexed> && ...);
    static constexpr bool is_indexed = sizeof...(Settings) > 0;
};

template <auto Member, class MetricType, class IndexTag>
struct Attribute<VectorField<Member, MetricType, IndexTag>> {
    static constexpr Role role = Role::vector;
    static constexpr auto member = Member;
    static constexpr bool settings_known = true;
    static constexpr bool is_indexed = false;
    using Metric = MetricType;
    using Index = IndexTag;
};

/// The settings of an index as they are stored; none when it has none.
template <class IndexTag>
std::string index_parameters() {
    if constexpr (requires {
                      { IndexTag::parameters() } -> std::convertible_to<std::string>;
                  }) {
        return IndexTag::parameters();
    } else {
        return {};
    }
}

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/schema/codec.hpp — a record as one run of bytes, and back.
//
//   row    := u8 format = 1; u8 count of fields; nulls; the value of each field that is not null, in the order given
//   nulls  := one bit a nullable field, in order, lowest bit first, set when null; unused bits are 0
//   value  := scalar | list | vector
//   scalar := bool: u8 0 or 1 | int32, uint32: u32 | int64, uint64: u64 | float: f32 | double: f64
//           | text: varint-sized bytes
//   list   := varint count, then that many scalars
//   vector := each element: f32; f16 and bf16: u16; i8, u8 and bits: u8                 (on disk, little-endian)
//
// Every byte is accounted for: a row that is cut, extended, or of another schema is refused. Changed bits inside a
// value are for the checksum of whoever stores the row.
//
// Thread safety: functions without state.

namespace kith::inline v0_single::detail {

inline constexpr std::uint8_t row_format = 1;  // on disk

template <StoredScalar T>
void encode_scalar(ByteWriter& writer, const T& value) {
    constexpr FieldKind kind = scalar_kind<T>();
    if constexpr (kind == FieldKind::text) {
        writer.sized(value);
    } else if constexpr (kind == FieldKind::float32) {
        writer.f32(value);
    } else if constexpr (kind == FieldKind::float64) {
        writer.f64(value);
    } else if constexpr (kind == FieldKind::boolean) {
        writer.u8(value ? 1 : 0);
    } else if constexpr (kind == FieldKind::int32 || kind == FieldKind::uint32) {
        writer.u32(static_cast<std::uint32_t>(value));
    } else {
        writer.u64(static_cast<std::uint64_t>(value));
    }
}

/// True when the stored `number` is one that T can hold; enumerations may be narrower than what stores them.
template <class T, std::integral Number>
[[nodiscard]] bool decode_integer(Number number, T& value) noexcept {
    using Limits = std::numeric_limits<typename Underlying<T>::Type>;
    if (number < static_cast<Number>(Limits::min()) || number > static_cast<Number>(Limits::max())) return false;
    value = static_cast<T>(number);
    return true;
}

template <StoredScalar T>
[[nodiscard]] bool decode_scalar(ByteReader& reader, T& value) {
    constexpr FieldKind kind = scalar_kind<T>();
    if constexpr (kind == FieldKind::text) {
        std::string_view text;
        if (!reader.sized(text)) return false;
        value.assign(text);
        return true;
    } else if constexpr (kind == FieldKind::float32) {
        return reader.f32(value);
    } else if constexpr (kind == FieldKind::float64) {
        return reader.f64(value);
    } else if constexpr (kind == FieldKind::boolean) {
        std::uint8_t byte = 0;
        if (!reader.u8(byte) || byte > 1) return false;
        value = byte == 1;
        return true;
    } else if constexpr (kind == FieldKind::int32 || kind == FieldKind::uint32) {
        using Number = std::conditional_t<kind == FieldKind::int32, std::int32_t, std::uint32_t>;
        std::uint32_t bits = 0;
        return reader.u32(bits) && decode_integer(static_cast<Number>(bits), value);
    } else {
        using Number = std::conditional_t<kind == FieldKind::int64, std::int64_t, std::uint64_t>;
        std::uint64_t bits = 0;
        return reader.u64(bits) && decode_integer(static_cast<Number>(bits), value);
    }
}

/// The fewest bytes a scalar takes; bounds what a damaged count can make a reader allocate.
template <StoredScalar T>
inline constexpr std::size_t least_bytes =
    std::same_as<T, std::string> || std::same_as<T, bool> ? 1 : (sizeof(T) <= 4 ? 4 : 8);

template <Element T>
void encode_element(ByteWriter& writer, T element) {
    if constexpr (std::same_as<T, float>) {
        writer.f32(element);
    } else if constexpr (sizeof(T) == 2) {
        writer.u16(element.bits());
    } else {
        writer.u8(std::bit_cast<std::uint8_t>(element));
    }
}

template <Element T>
[[nodiscard]] bool decode_element(ByteReader& reader, T& element) {
    if constexpr (std::same_as<T, float>) {
        return reader.f32(element);
    } else if constexpr (sizeof(T) == 2) {
        std::uint16_t bits = 0;
        if (!reader.u16(bits)) return false;
        element = T::from_bits(bits);
        return true;
    } else {
        std::uint8_t byte = 0;
        if (!reader.u8(byte)) return false;
        element = std::bit_cast<T>(byte);
        return true;
    }
}

template <class T>
void encode_value(ByteWriter& writer, const T& value) {
    if constexpr (StoredVector<T>) {
        for (const auto element : value) encode_element(writer, element);
    } else if constexpr (is_list<T>) {
        writer.varint(value.size());
        for (const ScalarOf<T>& element : value) encode_scalar<ScalarOf<T>>(writer, element);
    } else {
        encode_scalar(writer, value);
    }
}

template <class T>
[[nodiscard]] bool decode_value(ByteReader& reader, T& value) {
    if constexpr (StoredVector<T>) {
        for (auto& element : value) {
            if (!decode_element(reader, element)) return false;
        }
        return true;
    } else if constexpr (is_list<T>) {
        std::uint64_t count = 0;
        if (!reader.varint(count) || count > reader.remaining() / least_bytes<ScalarOf<T>>) return false;
        value.clear();
        value.reserve(static_cast<std::size_t>(count));
        for (; count > 0; --count) {
            ScalarOf<T> element{};
            if (!decode_scalar(reader, element)) return false;
            value.push_back(std::move(element));
        }
        return true;
    } else {
        return decode_scalar(reader, value);
    }
}

/// Writes and reads rows made of the members `Positions` of a tuple of references.
template <std::size_t... Positions>
class RowCodec {
    static_assert(sizeof...(Positions) <= 64, "the nulls of a row fit one number");

public:
    /// Appends the row to `out`.
    template <class Members>
    static void encode(const Members& members, std::string& out) {
        ByteWriter writer(out);
        writer.u8(row_format);
        writer.u8(sizeof...(Positions));
        NullBits nulls;
        (nulls.note(std::get<Positions>(members)), ...);
        for (std::size_t bit = 0; bit < nulls.count; bit += 8) writer.u8(static_cast<std::uint8_t>(nulls.bits >> bit));
        (encode_member(writer, std::get<Positions>(members)), ...);
    }

    /// Assigns the members from a row; false on any damage, and then their values are unspecified.
    template <class Members>
    [[nodiscard]] static bool decode(std::string_view row, const Members& members) {
        ByteReader reader(row);
        std::uint8_t format = 0;
        std::uint8_t count = 0;
        if (!reader.u8(format) || format != row_format) return false;
        if (!reader.u8(count) || count != sizeof...(Positions)) return false;
        NullBits nulls;
        constexpr std::size_t nullable =
            (std::size_t{0} + ... +
             (is_optional<std::remove_cvref_t<std::tuple_element_t<Positions, Members>>> ? 1 : 0));
        for (std::size_t bit = 0; bit < nullable; bit += 8) {
            std::uint8_t eight = 0;
            if (!reader.u8(eight)) return false;
            nulls.bits |= static_cast<std::uint64_t>(eight) << bit;
        }
        return (decode_member(reader, std::get<Positions>(members), nulls) && ...) && nulls.bits == 0 &&
               reader.remaining() == 0;
    }

private:
    /// The nulls of a row, lowest bit first.
    struct NullBits {
        std::uint64_t bits = 0;
        std::size_t count = 0;

        template <class T>
        void note(const T& member) noexcept {
            if constexpr (is_optional<T>) bits |= static_cast<std::uint64_t>(!member.has_value()) << count++;
        }

        /// Takes the next bit away, so that what is left at the end belongs to no field.
        bool next() noexcept {
            const bool null = (bits & 1) != 0;
            bits >>= 1;
            return null;
        }
    };

    template <class T>
    static void encode_member(ByteWriter& writer, const T& member) {
        if constexpr (!is_optional<T>) {
            encode_value(writer, member);
        } else if (member.has_value()) {
            encode_value(writer, *member);
        }
    }

    template <class T>
    static bool decode_member(ByteReader& reader, T& member, NullBits& nulls) {
        if constexpr (!is_optional<T>) {
            return decode_value(reader, member);
        } else if (nulls.next()) {
            member.reset();
            return true;
        } else {
            return decode_value(reader, member.emplace());
        }
    }
};

}  // namespace kith::inline v0_single::detail

// kith/schema/fingerprint.hpp — a schema as a text that is stored, its hash, and what differs between two of them.
//
//   descriptor := "kith schema 1\n", then one line a field, in the order of the struct            (on disk)
//   line       := name " " ["list of "] kind [" " dim [" of " element]] [" nullable"] [" key"] [" indexed"]
//                 [" metric=" name " index=" name ["(" parameters ")"]] "\n"
//
// A collection is opened only by a program whose descriptor is the stored one, letter for letter but for the indexes of
// vectors, which can be made again from them: rows are read by position, so even the order of the fields counts. The text
// is kept beside the hash to say what changed.
//
// Thread safety: functions without state.
// Source: the hash is FNV-1a, 64 bits (Fowler, Noll & Vo).

namespace kith::inline v0_single {

namespace detail {

inline constexpr std::string_view descriptor_head = "kith schema 1\n";  // on disk

/// Appends the line of one field. `parameters` are those of its index, where it has one.
inline void append_descriptor(std::string& out, const FieldInfo& field, std::string_view parameters) {
    out.append(field.name).append(field.list ? " list of " : " ").append(name(field.kind));
    if (field.dim > 0) out.append(" ").append(std::to_string(field.dim));
    if (!field.element.empty()) out.append(" of ").append(field.element);
    if (field.nullable) out.append(" nullable");
    if (field.key) out.append(" key");
    if (field.indexed) out.append(" indexed");
    if (!field.metric.empty()) {
        out.append(" metric=").append(field.metric).append(" index=").append(field.index);
        if (!parameters.empty()) out.append("(").append(parameters).append(")");
    }
    out.push_back('\n');
}

/// FNV-1a. On disk: never change.
constexpr std::uint64_t fingerprint(std::string_view descriptor) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char letter : descriptor) {
        hash ^= static_cast<unsigned char>(letter);
        hash *= 0x100000001b3ULL;
    }
    return hash;
}

/// One line of a descriptor.
struct DescribedField {
    std::string_view name;
    std::string_view type;  // all that follows the name

    friend bool operator==(const DescribedField&, const DescribedField&) noexcept = default;
};

/// The fields of a descriptor; none when it does not begin as this version writes it.
inline std::vector<DescribedField> read_descriptor(std::string_view text) {
    std::vector<DescribedField> fields;
    if (!text.starts_with(descriptor_head)) return fields;
    text.remove_prefix(descriptor_head.size());
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos) continue;
        fields.push_back({line.substr(0, space), line.substr(space + 1)});
    }
    return fields;
}

inline const DescribedField* find_field(const std::vector<DescribedField>& fields, std::string_view name) noexcept {
    for (const DescribedField& field : fields) {
        if (field.name == name) return &field;
    }
    return nullptr;
}

/// The descriptor without what says how vectors are found: what is left is how records are stored.
inline std::string without_indexes(std::string_view descriptor) {
    std::string text;
    while (!descriptor.empty()) {
        const std::string_view line = descriptor.substr(0, descriptor.find('\n'));
        text.append(line.substr(0, line.find(" index="))).append("\n");
        descriptor.remove_prefix(std::min(descriptor.size(), line.size() + 1));
    }
    return text;
}

/// "a, b, c"
inline std::string list_names(const std::vector<DescribedField>& fields) {
    std::string names;
    for (const DescribedField& field : fields) names.append(names.empty() ? "" : ", ").append(field.name);
    return names;
}

}  // namespace detail

/// What differs between the schema a collection was made with and the program's, one line a difference, the lines
/// separated by '\n'; empty when the descriptors are equal.
inline std::string describe_difference(std::string_view stored, std::string_view current) {
    if (stored == current) return {};
    const std::vector<detail::DescribedField> before = detail::read_descriptor(stored);
    const std::vector<detail::DescribedField> now = detail::read_descriptor(current);
    if (before.empty() || now.empty()) return "one of the two schemas is written in a form this version cannot read";

    std::string lines;
    const auto add = [&lines](std::string_view name, const std::string& what) {
        lines.append(lines.empty() ? "" : "\n").append("field '").append(name).append("': ").append(what);
    };
    for (const detail::DescribedField& field : before) {
        const detail::DescribedField* other = detail::find_field(now, field.name);
        if (other == nullptr) {
            add(field.name, "only in the stored schema, as " + std::string(field.type));
        } else if (other->type != field.type) {
            add(field.name, "stored " + std::string(field.type) + ", now " + std::string(other->type));
        }
    }
    for (const detail::DescribedField& field : now) {
        if (detail::find_field(before, field.name) == nullptr) {
            add(field.name, "only in the program's schema, as " + std::string(field.type));
        }
    }
    if (lines.empty()) {
        lines = "the fields stand in another order: stored " + detail::list_names(before) + "; now " +
                detail::list_names(now);
    }
    return lines;
}

/// The same, but for the indexes of vectors.
inline std::string describe_record_difference(std::string_view stored, std::string_view current) {
    return describe_difference(detail::without_indexes(stored), detail::without_indexes(current));
}

}  // namespace kith::inline v0_single

// kith/schema/layout.hpp — where each part of a record goes: which member is the key, a vector, part of the row.
//
// Thread safety: everything happens while compiling.

// kith/schema/checks.hpp — the sentences a compiler says about records and attributes that cannot be meant.
//
// What holds is found out by the types named Facts, which never fail; what is said stands in the types named Check.
// They are apart because a compiler has more and worse to say of anything computed in a type whose assertion failed.
// Each Check is given what its sentence is about, so that the note beside it names the record, the place and the type.
//
// Thread safety: everything happens while compiling.

namespace kith::inline v0_single::detail {

template <class T>
struct MemberFacts {
    static constexpr bool ok = Storable<T>;
    static constexpr bool small_integer = !ok && std::is_integral_v<ScalarOf<T>>;
    static constexpr bool loose_enum = !ok && std::is_enum_v<ScalarOf<T>>;
    static constexpr bool bad_array = !ok && is_element_array<T>;
};

template <class Record, std::size_t Position, class T, class Facts = MemberFacts<T>>
struct MemberCheck {
    static_assert(!Facts::small_integer,
                  "kith: this member is a character or a small integer, which cannot be stored; write std::int32_t, "
                  "std::uint32_t, std::int64_t or std::uint64_t");
    static_assert(!Facts::loose_enum,
                  "kith: this enumeration has no written underlying type; write enum class Name : std::int32_t");
    static_assert(!Facts::bad_array,
                  "kith: a vector has 1 to 20,000 elements; write std::array<float, N> with such an N");
    static_assert(
        Facts::ok || Facts::small_integer || Facts::loose_enum || Facts::bad_array,
        "kith: this member's type cannot be stored; use bool, a 32- or 64-bit integer, float, double, "
        "std::string, an enum, std::optional or std::vector of one of those, or std::array<float, N>, where float "
        "may also be kith::Half, kith::Bfloat16, std::int8_t, std::uint8_t or kith::Bits8");
};

/// Each fact is asked only of what the facts before it hold for.
template <class Record>
struct RecordFacts {
    static constexpr bool plain = std::is_class_v<Record> && std::is_aggregate_v<Record>;

    static constexpr bool flat = [] {
        if constexpr (plain) return !has_base<Record>;
        return false;
    }();

    static constexpr bool without_c_arrays = [] {
        if constexpr (flat) return !has_c_array<Record>;
        return false;
    }();

    static constexpr std::size_t count = [] {
        if constexpr (without_c_arrays) return member_count<Record>;
        return std::size_t{0};
    }();

    static constexpr bool ok = [] {
        if constexpr (count > 0 && count <= max_members) {
            return []<std::size_t... I>(std::index_sequence<I...>) {
                return (MemberFacts<MemberType<Record, I>>::ok && ...);
            }(std::make_index_sequence<count>());
        }
        return false;
    }();
};

template <class Record, class Facts = RecordFacts<Record>>
struct RecordCheck {
    static_assert(Facts::plain,
                  "kith: a record is a plain struct; remove its constructors, private members and virtual functions");
    static_assert(!Facts::plain || Facts::flat,
                  "kith: a record has no base class; write the members of the base into the struct itself");
    static_assert(!Facts::flat || Facts::without_c_arrays,
                  "kith: a member is a C array; write std::array<float, N>, std::string or std::vector");
    static_assert(!Facts::without_c_arrays || Facts::count > 0,
                  "kith: no member of this record can be seen; it is empty, or a member has no default value");
    static_assert(Facts::count <= max_members,
                  "kith: a record has at most 64 members; put some of them into another record");

    template <std::size_t... I>
    static consteval bool say_members(std::index_sequence<I...>) {
        return ((sizeof(MemberCheck<Record, I, MemberType<Record, I>>) > 0) && ...);
    }
};

/// `A` is an Attribute taken apart.
template <class Record, class A>
struct AttributeFacts {
    static constexpr bool known = A::role != Role::none;

    static constexpr bool names_member = [] {
        if constexpr (known) return std::is_member_object_pointer_v<std::remove_const_t<decltype(A::member)>>;
        return false;
    }();

    static constexpr bool own = [] {
        if constexpr (names_member) return is_member_of<Record, A::member>();
        return false;
    }();

    static constexpr bool fits = [] {
        if constexpr (own && A::role == Role::key) return KeyValue<TypeOf<A::member>>;
        if constexpr (own && A::role == Role::field) return !StoredVector<TypeOf<A::member>>;
        if constexpr (own && A::role == Role::vector) return StoredVector<TypeOf<A::member>>;
        return false;
    }();

    static constexpr bool set_well = [] {
        if constexpr (A::role == Role::field) return A::settings_known;
        if constexpr (A::role == Role::vector) return Named<typename A::Metric> && Named<typename A::Index>;
        return true;
    }();

    static constexpr bool index_fits = [] {
        if constexpr (own && fits && set_well && A::role == Role::vector) {
            constexpr std::size_t dim = array_dim<TypeOf<A::member>>;
            if constexpr (requires { A::Index::fits(dim); }) return A::Index::fits(dim);
        }
        return true;
    }();

    static constexpr bool ok = fits && set_well && index_fits;
};

template <class Record, class A, class Facts = AttributeFacts<Record, A>>
struct AttributeCheck {
    static_assert(Facts::known, "kith: after the record a Schema takes kith::Key, kith::Field and kith::VectorField");
    static_assert(!Facts::known || Facts::names_member,
                  "kith: an attribute takes a pointer to a data member; write &Record::member");
    static_assert(!Facts::names_member || Facts::own,
                  "kith: this attribute names a member of another struct; write &Record::member with the Schema's own "
                  "record");
    static_assert(!Facts::own || Facts::fits || A::role != Role::key,
                  "kith: a key is a std::string or an integer of 32 or 64 bits; write kith::Key<&Record::member> for "
                  "such a member");
    static_assert(!Facts::own || Facts::fits || A::role != Role::field,
                  "kith: this member is a vector; write kith::VectorField<&Record::member, kith::Cosine> to search it");
    static_assert(!Facts::own || Facts::fits || A::role != Role::vector,
                  "kith: a VectorField names a member of type std::array<float, N> with N from 1 to 20,000");
    static_assert(Facts::set_well || A::role != Role::field,
                  "kith: this setting of a Field is not known; write kith::Field<&Record::member, kith::indexed>");
    static_assert(Facts::set_well || A::role != Role::vector,
                  "kith: a VectorField takes a metric and then an index, each a type with a static name; write "
                  "kith::VectorField<&Record::member, kith::Cosine>");
    static_assert(Facts::index_fits,
                  "kith: the sub-vectors that this VectorField's index cuts its vectors into must divide their "
                  "dimension (behind a rotation: their dimension rounded up to a multiple of 16)");
};

template <class Record, class... Attributes>
struct SchemaFacts {
    static constexpr bool attributes_ok = [] {
        if constexpr (RecordFacts<Record>::ok)
            return (AttributeFacts<Record, Attribute<Attributes>>::ok && ... && true);
        return false;
    }();

    static constexpr std::size_t keys = (std::size_t{0} + ... + (Attribute<Attributes>::role == Role::key ? 1 : 0));

    static constexpr bool distinct = [] {
        if constexpr (attributes_ok) {
            std::array<bool, max_members> seen{};
            return (!std::exchange(seen[member_index<Attribute<Attributes>::member>], true) && ... && true);
        }
        return true;
    }();

    static constexpr bool ok = attributes_ok && keys == 1 && distinct;
};

template <class Record, class... Attributes>
struct SchemaCheck {
    using Facts = SchemaFacts<Record, Attributes...>;

    static_assert(Facts::keys == 1, "kith: a Schema has exactly one key; write kith::Key<&Record::member> once");
    static_assert(Facts::distinct, "kith: two attributes name the same member; one says all there is to say");
};

/// Instantiates every check, which is what makes a compiler speak. The answer itself says nothing.
template <class Record, class... Attributes>
consteval bool speak_up() {
    using OfRecord = RecordCheck<Record>;
    constexpr std::size_t count = RecordFacts<Record>::count;
    bool said = sizeof(OfRecord) > 0 && sizeof(SchemaCheck<Record, Attributes...>) > 0;
    if constexpr (RecordFacts<Record>::ok) {
        said = said && ((sizeof(AttributeCheck<Record, Attribute<Attributes>>) > 0) && ... && true);
    } else if constexpr (count > 0 && count <= max_members) {
        said = said && OfRecord::say_members(std::make_index_sequence<count>());
    }
    return said;
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

/// Adds to a field what an attribute says of it.
template <class A>
constexpr void describe_attribute(FieldInfo& field) noexcept {
    field.key = A::role == Role::key;
    field.indexed = A::is_indexed;
    if constexpr (A::role == Role::vector) {
        field.metric = A::Metric::name;
        field.index = A::Index::name;
    }
}

/// Stands in when a check has failed and said so, so that the compiler has little to add.
template <bool Sound, class RecordType, class... Attributes>
struct Layout {
    using Record = RecordType;
    using KeyType = std::string;
    static constexpr std::size_t field_count = 0;
    static constexpr std::size_t vector_count = 0;
    static constexpr std::array<FieldInfo, 0> fields{};
};

/// Shape: positions count members of the record from 0; `roles` and `named` follow the attributes as they are listed.
template <class RecordType, class... Attributes>
struct Layout<true, RecordType, Attributes...> {
    using Record = RecordType;

    static constexpr std::size_t field_count = member_count<Record>;
    static constexpr std::size_t vector_count =
        (std::size_t{0} + ... + (Attribute<Attributes>::role == Role::vector ? 1 : 0));

    static constexpr std::array<Role, sizeof...(Attributes)> roles{Attribute<Attributes>::role...};
    static constexpr std::array<std::size_t, sizeof...(Attributes)> named{
        member_index<Attribute<Attributes>::member>...};

    static constexpr bool is_vector(std::size_t position) noexcept {
        for (std::size_t at = 0; at < roles.size(); ++at) {
            if (named[at] == position) return roles[at] == Role::vector;
        }
        return false;
    }

    /// The positions of all members that are vector fields, or of all that are not, in order.
    template <std::size_t Count>
    static constexpr std::array<std::size_t, Count> positions(bool of_vectors) noexcept {
        std::array<std::size_t, Count> found{};
        std::size_t place = 0;
        for (std::size_t at = 0; at < field_count; ++at) {
            if (is_vector(at) == of_vectors) found[place++] = at;
        }
        return found;
    }

    static constexpr std::size_t find_key() noexcept {
        std::size_t at = 0;
        while (roles[at] != Role::key) ++at;
        return named[at];
    }

    template <std::size_t... I>
    static constexpr std::array<FieldInfo, field_count> describe(std::index_sequence<I...>) {
        std::array<FieldInfo, field_count> infos{describe_member<MemberType<Record, I>>(member_name<Record, I>)...};
        (describe_attribute<Attribute<Attributes>>(infos[member_index<Attribute<Attributes>::member>]), ...);
        return infos;
    }

    static constexpr std::size_t key_position = find_key();
    using KeyType = MemberType<Record, key_position>;

    static constexpr auto vector_positions = positions<vector_count>(true);
    static constexpr auto row_positions = positions<field_count - vector_count>(false);
    static constexpr auto fields = describe(std::make_index_sequence<field_count>());

    template <class>
    struct RowOf;
    template <std::size_t... I>
    struct RowOf<std::index_sequence<I...>> {
        using Type = RowCodec<row_positions[I]...>;
    };
    using Row = typename RowOf<std::make_index_sequence<row_positions.size()>>::Type;

    /// The attribute of the vector field at a position.
    template <std::size_t Position>
    static constexpr std::size_t find_attribute() noexcept {
        std::size_t at = 0;
        while (named[at] != Position) ++at;
        return at;
    }
    template <std::size_t Position>
    using AttributeAt = Attribute<std::tuple_element_t<find_attribute<Position>(), std::tuple<Attributes...>>>;
};

template <class RecordType, class... Attributes>
using LayoutOf = Layout<SchemaFacts<RecordType, Attributes...>::ok, RecordType, Attributes...>;

/// A vector of a record as a span of what it is made of, const where the vector is.
template <class Vector>
constexpr auto elements_of(Vector& vector) noexcept {
    return std::span(vector.data(), vector.size());
}

/// What a collection needs of the I-th vector field of a schema.
template <class SchemaLayout, std::size_t I>
struct VectorAttributeAt {
    static_assert(I < SchemaLayout::vector_count, "kith: the schema has fewer vector fields than that");
    static constexpr std::size_t field = SchemaLayout::vector_positions[I];
    using Metric = typename SchemaLayout::template AttributeAt<field>::Metric;
    using Index = typename SchemaLayout::template AttributeAt<field>::Index;
    using Vector = MemberType<typename SchemaLayout::Record, field>;
    using Element = VectorElement<Vector>;
    static constexpr std::size_t dim = SchemaLayout::fields[field].dim;
    static constexpr std::string_view name = SchemaLayout::fields[field].name;
    static constexpr VectorRules rules = vector_rules<Metric>(dim);
};

/// The number of the vector field that a member pointer names.
template <class SchemaLayout, auto Member>
struct VectorIndexOf {
    static constexpr bool own = is_member_of<typename SchemaLayout::Record, Member>();
    static_assert(own, "kith: this is no member of the schema's record; write nearest<&Record::member>");

    static constexpr std::size_t find() noexcept {
        std::size_t index = 0;
        if constexpr (own && SchemaLayout::vector_count > 0) {
            while (index < SchemaLayout::vector_count &&
                   SchemaLayout::vector_positions[index] != member_index<Member>) {
                ++index;
            }
        }
        return index;
    }

    static constexpr std::size_t value = find();
    static_assert(!own || value < SchemaLayout::vector_count,
                  "kith: this member is no vector field; write kith::VectorField<&Record::member, kith::Cosine> in the "
                  "Schema");
};

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

/// A record type and its attributes: one Key, any number of Field and VectorField.
/// Shape: all members of the record are fields, with an attribute or without, in the order of the struct. Vector
///        fields are numbered from 0 in that order too, however the attributes are listed.
template <class RecordType, class... Attributes>
class Schema {
    static_assert(detail::speak_up<RecordType, Attributes...>());
    using Layout = detail::LayoutOf<RecordType, Attributes...>;

public:
    using Record = RecordType;
    /// std::string, or the record's own integer type.
    using KeyType = typename Layout::KeyType;

    static constexpr std::size_t field_count = Layout::field_count;
    static constexpr std::size_t vector_count = Layout::vector_count;
    static constexpr std::array<FieldInfo, field_count> fields = Layout::fields;

    /// The I-th vector field: types Metric, Index, Vector and its Element, numbers dim and field (its place among all
    /// fields), its name.
    template <std::size_t I>
    using VectorAttribute = detail::VectorAttributeAt<Layout, I>;

    /// The number of the vector field that a member pointer names.
    template <auto Member>
    static constexpr std::size_t vector_index = detail::VectorIndexOf<Layout, Member>::value;

    static const KeyType& key_of(const Record& record) noexcept {
        return std::get<Layout::key_position>(detail::members(record));
    }

    static std::string key_bytes(const KeyType& key) { return detail::key_bytes(key); }

    /// Throws: Error with corrupt when the bytes are those of no such key.
    static KeyType key_from_bytes(std::string_view bytes) { return detail::key_from_bytes<KeyType>(bytes); }

    /// The key as a person writes it: text in quotes, an integer in digits.
    static std::string show_key(std::string_view bytes) { return detail::show_key<KeyType>(bytes); }

    /// Appends all members but the vector fields, as kith/schema/codec.hpp lays them out.
    static void encode_row(const Record& record, std::string& out) {
        Layout::Row::encode(detail::members(record), out);
    }

    /// Assigns all members but the vector fields; false on any damage, and then their values are unspecified.
    [[nodiscard]] static bool decode_row(std::string_view row, Record& record) {
        return Layout::Row::decode(row, detail::members(record));
    }

    /// Calls `visit(number, elements)` for each vector field in order: the number is a std::integral_constant, the
    /// elements a std::span of what the vector is made of, const where the record is.
    template <class R, class Visit>
        requires std::same_as<std::remove_const_t<R>, Record>
    static void for_each_vector(R& record, Visit&& visit) {
        const auto members = detail::members(record);
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (visit(std::integral_constant<std::size_t, I>(),
                   detail::elements_of(std::get<Layout::vector_positions[I]>(members))),
             ...);
        }(std::make_index_sequence<vector_count>());
    }

    /// The text that is stored with a collection and must be the same whenever it is opened.
    static std::string descriptor() {
        std::array<std::string, field_count> parameters;
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            ((parameters[VectorAttribute<I>::field] = detail::index_parameters<typename VectorAttribute<I>::Index>()),
             ...);
        }(std::make_index_sequence<vector_count>());
        std::string text(detail::descriptor_head);
        for (std::size_t at = 0; at < field_count; ++at) detail::append_descriptor(text, fields[at], parameters[at]);
        return text;
    }

    /// A number that changes when the descriptor does.
    static std::uint64_t fingerprint() { return detail::fingerprint(descriptor()); }

    /// The first value of a record that cannot be stored; nothing when all can.
    static std::optional<FieldProblem> validate(const Record& record) {
        const auto members = detail::members(record);
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            std::optional<FieldProblem> problem;
            static_cast<void>(((problem = member_problem<I>(std::get<I>(members))).has_value() || ...));
            return problem;
        }(std::make_index_sequence<field_count>());
    }

private:
    template <std::size_t I, class T>
    static std::optional<FieldProblem> member_problem(const T& value) {
        std::optional<std::string> problem;
        if constexpr (Layout::is_vector(I)) {
            using Metric = typename Layout::template AttributeAt<I>::Metric;
            using Element = detail::VectorElement<T>;
            problem = detail::elements_problem<Element>(value, vector_rules<Metric>(detail::array_dim<T>));
        } else {
            problem = detail::value_problem(value, I == Layout::key_position);
        }
        if (!problem.has_value()) return std::nullopt;
        return FieldProblem{fields[I].name, "field '" + std::string(fields[I].name) + "': " + *problem};
    }
};

namespace detail {

template <class>
inline constexpr bool is_schema = false;
template <class Record, class... Attributes>
inline constexpr bool is_schema<Schema<Record, Attributes...>> = true;

}  // namespace detail

/// Some Schema<Record, Attributes...>.
template <class S>
concept IsSchema = detail::is_schema<S>;

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

namespace detail {

/// What the engine needs to know of the schema S.
template <class S>
EngineSchema engine_schema() {
    EngineSchema schema{S::descriptor(), S::fingerprint(), {}, &S::show_key, &describe_record_difference};
    const auto add = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
        using Attribute = typename S::template VectorAttribute<I>;
        using Metric = typename Attribute::Metric;
        using Element = typename Attribute::Element;
        using Index = std::conditional_t<std::is_same_v<typename Attribute::Index, DefaultIndex>,
                                         AutoIndex<Attribute::dim, Element>, typename Attribute::Index>;
        schema.vectors.push_back({Attribute::name, Index::name, Attribute::dim, vector_bytes<Element>(Attribute::dim),
                                  &read_vector<Element>, &make_vector_index<Metric, Index, Element>,
                                  &map_vector_index<Metric, Index, Element>, &map_vector_index<Metric, Flat, Element>,
                                  &vector_index_space<Metric, Index, Element>});
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (add(std::integral_constant<std::size_t, I>{}), ...);
    }(std::make_index_sequence<S::vector_count>{});
    return schema;
}

}  // namespace detail

/// Records of one schema, in a directory or in memory.
///
/// Writes are atomic: a batch is written whole or not at all, and a reader sees it whole or not at all. With a
/// directory, a write that returned is there after a crash, as far as Options::durability promises.
///
/// A collection that was moved from may only be assigned to or destroyed.
///
/// Thread safety: every member function may be called by any number of threads at once, except construction,
/// assignment and destruction. Readers wait for nobody; writers take turns. A callable given to update() must not
/// call the collection.
template <class S>
class Collection : public Reading<Collection<S>, S> {
    static_assert(IsSchema<S>, "kith: Collection needs a kith::Schema<Record, kith::Key<&Record::member>, ...>");

public:
    using Record = typename S::Record;
    using Key = typename S::KeyType;

    /// Opens the collection in the directory `path`, or makes it where there is none (see Options::mode).
    /// Throws: Error with the path: not_found, already_exists, not_a_collection, locked (names the holder),
    /// schema_mismatch (lists the differences), unsupported_version, corrupt (names file and offset), io, disk_full.
    /// Cost: reads the log since the last checkpoint and checks the files of every segment.
    explicit Collection(const std::filesystem::path& path, const Options& options = {})
        : Collection(options, detail::open_durable_store(path, checked(options), detail::engine_schema<S>())) {
        static_assert(0 != 0 || sizeof(S) == 0,
                      "kith: a collection in a directory needs the compiled unit: link the target kith::kith, or use "
                      "kith::Collection<S> c(kith::in_memory)");
    }

    /// A collection in memory, gone with the object. Needs nothing but the headers.
    explicit Collection(InMemory, const Options& options = {}) : Collection(checked(options), detail::OpenedStore{}) {}

    /// Adds new records, all or none.
    /// Throws: already_exists for a key that is present; invalid_argument for a record that cannot be stored or a key
    /// twice in the batch; the text names record and field, and nothing was written. closed, read_only, poisoned,
    /// disk_full, io, limit_exceeded.
    void insert(std::span<const Record> records) { put(records, detail::OnExisting::refuse); }
    void insert(const Record& record) { insert(std::span(&record, 1)); }

    /// Adds records, all or none; one whose key is present replaces the record there.
    /// Throws: as insert, but for already_exists.
    void upsert(std::span<const Record> records) { put(records, detail::OnExisting::replace); }
    void upsert(const Record& record) { upsert(std::span(&record, 1)); }

    /// Changes the record with `key`: each of `changes` is called with it in turn, as in
    /// `update("id", kith::set<&Article::year>(2024))` or `update("id", [](Article& a) { ++a.year; })`. No other
    /// write comes between reading the record and writing it. A change may run in the thread of another writer, which
    /// serves all that wait.
    /// Throws: not_found when there is no such record; as upsert; invalid_argument for a changed key; and whatever a
    /// change throws. The record is as it was then.
    template <class... Changes>
    void update(const Key& key, Changes&&... changes) {
        static_assert(sizeof...(Changes) > 0 && (std::is_invocable_v<Changes&, Record&> && ...),
                      "kith: update(key, changes...) takes kith::set<&Record::member>(value) or callables on Record&");
        const std::string bytes = S::key_bytes(key);
        const auto prepare = [&] {
            Record record = newest(bytes);
            (changes(record), ...);
            if (S::key_bytes(S::key_of(record)) != bytes) {
                raise(Errc::invalid_argument, "update of " + S::show_key(bytes) + " changed its key to " +
                                                  S::show_key(S::key_bytes(S::key_of(record))) +
                                                  "; nothing was written");
            }
            return encode(std::span<const Record>(&record, 1));
        };
        engine_->write(prepare, detail::OnExisting::replace);
    }

    /// Removes the records with these keys, all at once; keys that are not there, or named before, are passed over.
    /// Returns: how many were removed.  Throws: closed, read_only, poisoned, disk_full, io.
    std::size_t erase(std::span<const Key> keys) {
        std::size_t removed = 0;
        const auto prepare = [&] {
            detail::BatchWriter batch;
            std::set<std::string> seen;
            for (const Key& key : keys) {
                const std::string bytes = S::key_bytes(key);
                if (!engine_->newest(bytes).has_value() || !seen.insert(bytes).second) continue;
                batch.erase(bytes);
                ++removed;
            }
            return batch.empty() ? std::string() : batch.take();
        };
        engine_->write(prepare, detail::OnExisting::replace);
        return removed;
    }
    bool erase(const Key& key) { return erase(std::span(&key, 1)) == 1; }

    /// The records of this moment, unchanged for as long as the snapshot is held.
    /// Throws: closed, forked.  Cost: none; see Snapshot for what holding it keeps.
    [[nodiscard]] Snapshot<S> snapshot() const { return Snapshot<S>(*engine_); }

    /// Moves a collection that was opened with OpenMode::read_only to the newest state: everything that its writer, in
    /// whichever process, had acknowledged when this was called. Each batch is shown whole or not at all; queries and
    /// snapshots that are under way stay at their moment. A batch may be shown a moment before its writer is told that
    /// it is on the disk. Returns whether anything changed; never anything for the writer itself.
    /// Throws: closed, forked, corrupt, io; locked when the writer makes checkpoints faster than they can be read. The collection is then at the state before or at a later one, which was whole.
    /// Cost: nothing to read when nothing changed; the new batches; after a checkpoint or merge its new segments are
    /// mapped, and the batches after it are applied again.
    bool refresh() { return engine_->refresh(); }

    /// Waits until every record written so far is linked into its graphs. Searches find all records without it; it
    /// only makes their speed even.
    /// Throws: closed, forked; cancelled, timed_out.
    void link(const LongCall& call = {}) { engine_->link(call); }

    /// Moves what is in memory into immutable files and drops the log, so that the next open has nothing to replay.
    /// Writers and readers go on meanwhile; what they write after it began is not part of it. In memory it only links.
    /// Throws: disk_full, io, read_only, poisoned, closed, cancelled, timed_out; the collection goes on as it was, but
    /// poisoned where a sync of the log or of the commit failed: after the latter, reads of sealed records may raise it
    /// too.
    void checkpoint(const LongCall& call = {}) { engine_->checkpoint(call); }

    /// Makes a checkpoint, then merges segments until no dead record takes up space and no two segments fit into one.
    /// Automatic maintenance does as much of it as pays; this is for the day after a great deletion. Writers and readers
    /// go on meanwhile. What a snapshot holds is given back by a later write or call, once that is gone; pages that rows
    /// and keys left free are, where no other process has the collection open. In memory it gives back memory.
    /// Throws: as checkpoint(); what was merged by then stays so.
    /// Cost: every merged record is linked anew.
    void compact(const LongCall& call = {}) { engine_->compact(call); }

    /// Writes a directory that opens as this collection and holds every write that returned before the call, and perhaps
    /// later ones, none without those before it; see BackupOptions. Writers and readers go on meanwhile; sealing and
    /// merging wait.
    /// Throws: as kith::backup; closed, read_only, poisoned; invalid_argument for a collection in memory.
    BackupReport backup(const std::filesystem::path& destination, const BackupOptions& options = {},
                        const LongCall& call = {}) {
        return engine_->backup(destination, options, call);
    }

    /// What `records` of this schema will take, each with a row and a key of these lengths, under `options`.
    [[nodiscard]] static Estimate estimate(std::uint64_t records, RecordBytes record, const Options& options = {}) {
        return detail::estimate(detail::engine_schema<S>(), record, records, options);
    }

    /// What the collection holds, where, and what compact() would give back.
    /// Throws: closed, forked.  Cost: a look at each file of the directory.
    [[nodiscard]] CollectionStats stats() const { return engine_->stats(); }

    /// Makes every write durable and lets go of the directory; later calls raise Errc::closed. Idempotent. The
    /// destructor closes too, but cannot report what goes wrong.
    /// Throws: io, disk_full when the last sync fails, poisoned when an earlier one did; the collection is closed all
    /// the same.
    void close() { engine_->close(); }

    /// What the open found and mended.
    [[nodiscard]] const RecoveryReport& recovery() const noexcept { return engine_->recovery(); }

private:
    friend class Reading<Collection<S>, S>;

    Collection(const Options& options, detail::OpenedStore opened)
        : engine_(std::make_unique<detail::Engine>(detail::engine_schema<S>(), options, std::move(opened))) {}

    static const Options& checked(const Options& options) {
        if (options.segment_capacity == 0 || options.segment_capacity > detail::largest_segment) {
            raise(Errc::invalid_argument, "segment_capacity is " + std::to_string(options.segment_capacity) +
                                              "; it must be between 1 and " + std::to_string(detail::largest_segment));
        }
        constexpr unsigned most_threads = 1024;
        if (options.index_threads == 0 || options.index_threads > most_threads) {
            raise(Errc::invalid_argument, "index_threads is " + std::to_string(options.index_threads) +
                                              "; it must be between 1 and " + std::to_string(most_threads));
        }
        if (options.search_threads == 0 || options.search_threads > most_threads) {
            raise(Errc::invalid_argument, "search_threads is " + std::to_string(options.search_threads) +
                                              "; it must be between 1 and " + std::to_string(most_threads));
        }
        const std::chrono::milliseconds period = options.durability.period();
        if (options.durability.level() == Durability::Level::interval &&
            (period.count() <= 0 || period > std::chrono::hours(24))) {
            raise(Errc::invalid_argument, "the period of Durability::interval is " + std::to_string(period.count()) +
                                              " ms; it must be between 1 ms and 24 hours");
        }
        if (options.follow.count() < 0 || options.follow > std::chrono::hours(24)) {
            raise(Errc::invalid_argument, "Options::follow is " + std::to_string(options.follow.count()) +
                                              " ms; it must be between 0 ms and 24 hours");
        }
        if (options.follow.count() > 0 && options.mode != OpenMode::read_only) {
            raise(Errc::invalid_argument, "Options::follow is for OpenMode::read_only; a writer is always up to date");
        }
        return options;
    }

    [[nodiscard]] detail::Moment moment() const { return *engine_; }

    void put(std::span<const Record> records, detail::OnExisting on_existing) {
        std::string batch = records.empty() ? std::string() : encode(records);
        engine_->write([&] { return std::move(batch); }, on_existing);
    }

    static std::string encode(std::span<const Record> records) {
        detail::BatchWriter batch;
        for (std::size_t i = 0; i < records.size(); ++i) {
            if (const auto problem = S::validate(records[i])) {
                raise(Errc::invalid_argument,
                      "record " + std::to_string(i) + ", " + problem->text + "; nothing was written");
            }
            detail::put_record<S>(records[i], batch);
        }
        return batch.take();
    }

    /// In the writer role: the record an update starts from.
    Record newest(const std::string& bytes) const {
        const auto id = engine_->newest(bytes);
        if (!id.has_value()) raise(Errc::not_found, "update: there is no record with the key " + S::show_key(bytes));
        Record record{};
        if (!S::decode_row(engine_->newest_row(*id), record)) detail::raise_bad_row(*id);
        S::for_each_vector(record, [&](std::size_t field, auto elements) {
            detail::fill_elements(elements, [&](float* out) { engine_->newest_vector(*id, field, out); });
        });
        return record;
    }

    std::unique_ptr<detail::Engine> engine_;  // never null but in a moved-from object
};

}  // namespace kith::inline v0_single

// kith/collection/repair.hpp — a collection made of what a damaged one still holds.
//
// The damaged collection is read and left as it is, to the byte. What is sound is linked or copied into a new one; what
// was derived from it is made again: keys, delete bitmaps and the state record from rows and keys, pages of the
// environment from its values. What no longer exists is named: records by key, batches by number. A graph that is
// damaged is left out: vectors are compared one by one until a merge builds it again from them.
//
// Thread safety: any number of threads, each for a collection of its own.

// kith/collection/verify.hpp — whether every byte of a stored collection is as it was written.
//
// Nothing is opened for writing, nothing is mapped that damage could make a trap, and LMDB is not asked: its file is
// read as plain bytes, page by page. So a damaged collection is described, never touched, and cannot end the program.
//
// Thread safety: any number of threads.

namespace kith::inline v0_single {

/// The part of a collection that is damaged.
enum class DamageKind : std::uint8_t {
    identity,       ///< the file IDENTITY
    log,            ///< the batches since the last checkpoint
    forward,        ///< the pages of forward/data.mdb that lead to its tables, or count its free pages
    rows,           ///< the fields of records
    keys,           ///< where each key leads
    state,          ///< what the last checkpoint holds
    delete_bitmap,  ///< which slots of a segment are deleted
    segment_rows,   ///< the vectors of a segment
    segment_graph,  ///< what finds them fast
    segment_keys,   ///< the keys of a segment in order
    missing_file,   ///< a file or folder that should be there
    leftover,       ///< a file or folder that nothing names
};

/// The name of a kind, as it stands in the enumeration.
[[nodiscard]] std::string_view name(DamageKind kind) noexcept;

/// What becomes of the records.
enum class Loss : std::uint8_t {
    nothing,  ///< the collection opens and answers as if it were not there
    derived,  ///< what is damaged can be made again, wholly, from what is not
    records,  ///< records, or changes of records, are lost unless a backup has them
};

/// One thing that is not as it should be.
struct Damage {
    DamageKind kind = DamageKind::log;
    Loss loss = Loss::records;
    std::string file;          ///< or folder
    std::uint64_t offset = 0;  ///< where in the file; 0 when it concerns all of it
    std::string what;          ///< what stands there, and what was expected
    std::string consequence;   ///< what is lost, or what it can be made again from
};

enum class VerifyDepth : std::uint8_t {
    quick,  ///< every byte but those of vectors and graphs
    deep,   ///< every byte
};

struct VerifyOptions {
    VerifyDepth depth = VerifyDepth::deep;
    std::size_t most_damages = 1000;  ///< more are counted, not listed
};

struct VerifyReport {
    std::vector<Damage> damages;        ///< none when the collection is sound
    std::vector<Damage> remarks;        ///< what does no harm: leftovers, a graph that a merge will build again
    std::uint64_t not_listed = 0;       ///< damages past VerifyOptions::most_damages
    std::optional<TornTail> torn_tail;  ///< the log ends in a write that was in flight; opening cuts it off
    std::string writer;                 ///< who writes to it, "process 1234 on host since …"; empty when nobody does
    std::uint64_t files = 0;            ///< that were checked
    std::uint64_t bytes = 0;            ///< that were checked
    std::uint64_t records = 0;          ///< of the last checkpoint, erased ones left out
    std::uint64_t logged_batches = 0;   ///< of the log
    std::uint64_t last_sequence = 0;    ///< number of the newest batch that can be read

    [[nodiscard]] bool clean() const noexcept { return damages.empty() && not_listed == 0; }
};

/// Checks the collection at `path`. Beside a writer, the last checkpoint and the log as they are found are checked;
/// the end of the log may then be half written, and what looks damaged is looked at again before it is reported.
/// Throws: Errc::not_found, Errc::not_a_collection; Errc::unsupported_version; Errc::cancelled, Errc::timed_out; what
/// the progress callback throws. Nothing is ever changed.
/// Cost: one pass over the bytes, 8 bytes of memory a record, and the longest row and log record.
[[nodiscard]] VerifyReport verify(const std::filesystem::path& path, const VerifyOptions& options = {},
                                  const LongCall& call = {});

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

struct RepairOptions {
    /// Where the repaired collection is made; nothing stands there. Empty only with in_place.
    std::filesystem::path destination = {};
    /// Puts the repaired collection where the damaged one is, which is kept beside it as `<name>.damaged-<number>`.
    bool in_place = false;
    /// An earlier backup of the collection: IDENTITY, and files of segments that are damaged, are taken from it.
    std::filesystem::path backup = {};
};

/// A record that could not be kept.
struct LostRecord {
    std::string key;  ///< as a person writes it; "slot 3 of segment 2" when even the key is lost
    std::string why;
};

/// Batches of the log that were not kept.
struct LostBatches {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    bool readable = false;     ///< they can be read, and stand behind one that cannot, so they were set aside
    std::string file;          ///< of the damaged collection
    std::uint64_t offset = 0;  ///< where damage begins; 0 for readable ones
    std::uint64_t bytes = 0;
};

struct RepairReport {
    VerifyReport before;                 ///< the damaged collection
    VerifyReport after;                  ///< the repaired one; empty when there was nothing to repair
    std::filesystem::path repaired;      ///< where it is; empty when there was nothing to repair
    std::filesystem::path kept;          ///< where the damaged one is now
    std::vector<std::string> done;       ///< what was done, a sentence each
    std::vector<std::string> uncertain;  ///< what was kept though nothing can prove it
    std::vector<LostRecord> lost_records;
    std::vector<LostBatches> lost_batches;
};

/// Repairs the collection at `path`, to which nobody writes. Where nothing is damaged nothing is done.
/// Ensures: the repaired collection is whole or not there; it holds every record that was not destroyed.
/// Throws: Errc::locked (somebody writes to it); Errc::invalid_argument (neither destination nor in_place, or both);
/// Errc::already_exists (the destination); Errc::corrupt when nothing can be saved: IDENTITY is lost and no backup was
/// named; Errc::not_found, Errc::not_a_collection, Errc::unsupported_version; Errc::disk_full, Errc::io;
/// Errc::cancelled, Errc::timed_out, and what the progress callback throws. Nothing has changed then, unless
/// the repaired collection could not be read again: it stands at its place by then.
RepairReport repair(const std::filesystem::path& path, const RepairOptions& options, const LongCall& call = {});

}  // namespace kith::inline v0_single

// kith/core.hpp — the words every layer shares.

// kith/core/crc32c.hpp — the checksum of everything kith stores.
//
// CRC-32C (Castagnoli) finds every burst of up to 32 flipped bits and has an instruction on current processors.
// Defined in the compiled unit: only bytes that survive need it.
//
// Source: RFC 3720, appendix B.4 (polynomial 0x1EDC6F41, reflected, inverted at both ends).

namespace kith::inline v0_single {

/// The CRC-32C of `count` bytes. To checksum in pieces, pass the result of one piece as the `seed` of the next.
/// Cost: about 0.1 ns a byte where the processor has the instruction, 0.6 ns elsewhere.
[[nodiscard]] std::uint32_t crc32c(const void* data, std::size_t count, std::uint32_t seed = 0) noexcept;

[[nodiscard]] inline std::uint32_t crc32c(std::string_view data, std::uint32_t seed = 0) noexcept {
    return crc32c(data.data(), data.size(), seed);
}

}  // namespace kith::inline v0_single

// kith/distance.hpp — how far apart two vectors are.

// kith/distance/packed_dispatch.hpp — the kernels over packed codes, chosen once an index.

// kith/distance/portable_packed.hpp — inner products with packed codes in plain C++, the truth for all others.
//
// Written so that a compiler can turn the inner loop into vectors. As in portable.hpp, each function carries the flags
// of the source it was compiled in.

namespace kith::inline v0_single {

namespace detail {

template <unsigned bits, class Flags>
std::int32_t portable_packed_dot(const std::int8_t* query, const std::byte* fields, std::size_t dim) noexcept {
    std::int32_t sum = 0;
    for (unsigned field = 8; field > 0; field /= 2) {
        if ((bits & field) == 0) continue;
        const std::size_t bytes = part_bytes(field, dim);
        const unsigned mask = (1U << field) - 1;
        std::int32_t products = 0;
        for (unsigned part = 0; part < 8 / field; ++part, query += query_part_bytes(field, dim)) {
            for (std::size_t byte = 0; byte < bytes; ++byte) {
                products +=
                    query[byte] * static_cast<int>(std::to_integer<unsigned>(fields[byte]) >> part * field & mask);
            }
        }
        sum += products * (1 << (bits & (field - 1)));  // below this field stand as many bits as are left of b
        fields += bytes;
    }
    return sum;
}

template <unsigned bits, class Flags>
void portable_packed_slots(const std::int8_t* query, const std::byte* codes, const PackedShape& shape,
                           const Slot* slots, std::size_t count, std::int32_t* out) noexcept {
    constexpr std::size_t ahead = 8;
    for (std::size_t i = 0; i < count + ahead; ++i) {
        if (i < count) prefetch_row<lines_ahead_of_kernels>(codes + slots[i] * shape.stride, shape.stride);
        if (i >= ahead) {
            const std::byte* fields = codes + slots[i - ahead] * shape.stride + shape.head;
            out[i - ahead] = portable_packed_dot<bits, Flags>(query, fields, shape.dim);
        }
    }
}

template <unsigned bits, class Flags>
void portable_packed_block(const std::int8_t* query, const std::byte* codes, const PackedShape& shape,
                           std::size_t count, std::int32_t* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = portable_packed_dot<bits, Flags>(query, codes + i * shape.stride + shape.head, shape.dim);
    }
}

template <class Flags>
PackedDots portable_packed_dots(unsigned bits) noexcept {
    KITH_ASSERT(bits >= 1 && bits <= 8);
    constexpr std::array<PackedDots, 9> by_bits = {
        PackedDots{},
        PackedDots{portable_packed_slots<1, Flags>, portable_packed_block<1, Flags>},
        PackedDots{portable_packed_slots<2, Flags>, portable_packed_block<2, Flags>},
        PackedDots{portable_packed_slots<3, Flags>, portable_packed_block<3, Flags>},
        PackedDots{portable_packed_slots<4, Flags>, portable_packed_block<4, Flags>},
        PackedDots{portable_packed_slots<5, Flags>, portable_packed_block<5, Flags>},
        PackedDots{portable_packed_slots<6, Flags>, portable_packed_block<6, Flags>},
        PackedDots{portable_packed_slots<7, Flags>, portable_packed_block<7, Flags>},
        PackedDots{portable_packed_slots<8, Flags>, portable_packed_block<8, Flags>}};
    return by_bits[bits];
}

}  // namespace detail

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

/// The kernels for elements of `bits` bits.
/// Requires: bits is 1 to 8.
template <class Flags = detail::ThisBuild>
[[nodiscard]] PackedDots packed_dots(unsigned bits, Isa) noexcept {
    return detail::portable_packed_dots<Flags>(bits);
}

}  // namespace kith::inline v0_single

// kith/index.hpp — from a query to the nearest slots without reading them all.

// kith/index/ivf.hpp — an inverted file: vectors in lists around centroids, of which a search reads the nearest few.
//
// It is trained in seconds where a graph takes minutes, and reads memory in order. Lists hold codes that a scan adds up
// in registers (or nothing but slots); the best are compared again by their own vectors, which are Rows that every call
// is given. The back room index/ivf/ holds its parts: model, blocks, fill, search, format, and for each kind of code
// what it is and how it is scanned.
//
// Until there are enough rows to train it, a search compares all of them. Rows that come later join the lists as they
// are; drift() says how much worse they fit, and retrain() begins anew.
//
// InnerProduct: lists are those of L2, read in the order of ⟨q, c⟩. That is right for vectors of similar length; where
// lengths differ widely, more lists must be read for the same recall.
//
// Thread safety: insert and retrain are called by one thread at a time; search by any number, beside it, without
// waiting.
// Source: Sivic & Zisserman, ICCV 2003; Jégou, Douze & Schmid, IEEE TPAMI 33(1), 2011.

// kith/index/ivf/blocks.hpp — lists of coded vectors, in blocks of 32 that never move.
//
// All blocks lie in one array, in the order they were begun; a list is a chain of them. What is inserted at once takes
// blocks that follow each other, so a list grown in one go is one run of memory. Nothing is ever moved or given back,
// and a vector's bytes are its own, so a search needs no lock: it reads as many vectors as the list said it had.
//
//   record = codes of 32 vectors as distance/fast_scan.hpp lays them out, up to a multiple of 64 bytes
//   slots  = the slot of each of the 32
//
// Thread safety: one writer; any number of readers, who see of each list what was published before they asked.

namespace kith::inline v0_single::detail {

class IvfBlocks {
public:
    static constexpr std::size_t vectors = 32;  // on disk

    struct List {
        std::uint32_t head = no_slot;  // its first block
        std::uint32_t tail = no_slot;  // its last
        std::uint32_t count = 0;       // vectors; stored last, loaded first
    };

    /// Blocks that follow each other in memory, with `count` vectors in all.
    struct Run {
        std::uint32_t first = 0;
        std::size_t count = 0;
    };

    /// Empty lists for up to `capacity` vectors.
    IvfBlocks(std::size_t lists, std::size_t record_bytes, Slot capacity)
        : lists_(lists),
          record_bytes_(record_bytes),
          block_capacity_(capacity / vectors + lists),
          record_memory_(block_capacity_ * record_bytes),
          slot_memory_(block_capacity_ * vectors * sizeof(Slot)),
          next_memory_(block_capacity_ * sizeof(std::uint32_t)),
          records_(record_memory_.data()),
          slots_(reinterpret_cast<const Slot*>(slot_memory_.data())) {}

    /// Lists over finished arrays that outlive this, one list after the other, and are in memory or brought there by
    /// `residency`. It only serves reads.
    /// Shape: counts[i] vectors in list i; the blocks of all lists are as many as their counts ask for.
    IvfBlocks(const std::vector<std::uint32_t>& counts, std::size_t record_bytes, const std::byte* records,
              const Slot* slots, Residency* residency = nullptr)
        : lists_(counts.size()), record_bytes_(record_bytes), records_(records), slots_(slots), residency_(residency) {
        for (std::size_t list = 0; list < counts.size(); ++list) {
            lists_[list] = {block_count_, no_slot, counts[list]};
            block_count_ += blocks_for(counts[list]);
        }
    }

    [[nodiscard]] static std::uint32_t blocks_for(std::size_t count) noexcept {
        return static_cast<std::uint32_t>((count + vectors - 1) / vectors);
    }

    [[nodiscard]] std::size_t lists() const noexcept { return lists_.size(); }
    [[nodiscard]] std::size_t record_bytes() const noexcept { return record_bytes_; }

    /// Vectors of a list that may be read.
    [[nodiscard]] std::uint32_t count(std::size_t list) const noexcept {
        return __atomic_load_n(&lists_[list].count, __ATOMIC_ACQUIRE);
    }

    [[nodiscard]] std::uint32_t head(std::size_t list) const noexcept { return lists_[list].head; }
    [[nodiscard]] const std::byte* record(std::uint32_t block) const noexcept {
        return records_ + block * record_bytes_;
    }
    [[nodiscard]] const Slot* slots(std::uint32_t block) const noexcept { return slots_ + block * vectors; }

    /// Bytes of memory that blocks were written to; of mapped ones, what is kept of their lists.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        const std::size_t written = slot_memory_.data() == nullptr ? 0 : block_count_;
        return lists_.size() * sizeof(List) + written * block_bytes(record_bytes_);
    }
    /// What a block takes in memory.
    [[nodiscard]] static constexpr std::size_t block_bytes(std::size_t record_bytes) noexcept {
        return record_bytes + vectors * sizeof(Slot) + sizeof(std::uint32_t);
    }

    /// The slot at a place: block · 32 + the position in it.
    [[nodiscard]] const Slot* slot_at(std::uint32_t place) const noexcept { return slots_ + place; }

    /// Keep the records, or the slots, of a run in memory, where that is not sure, while they are read.
    [[nodiscard]] Held hold_records(Run run) const noexcept {
        return {residency_, record(run.first), blocks_for(run.count) * record_bytes_, Residency::Use::in_order};
    }
    [[nodiscard]] Held hold_slots(Run run) const noexcept {
        return {residency_, slots(run.first), run.count * sizeof(Slot), Residency::Use::in_order};
    }

    /// Who brings records and slots into memory; null where they are there.
    [[nodiscard]] Residency* residency() const noexcept { return residency_; }

    /// The longest run that begins at `block`, of at most `most` blocks, where `left` vectors are still to come; moves
    /// `block` to the one after it, if there is one. Requires: left is positive.
    [[nodiscard]] Run run(std::uint32_t& block, std::size_t left, std::size_t most) const noexcept {
        Run run{block, 0};
        std::size_t blocks = 0;
        for (bool follows = true; follows && blocks < most; ++blocks) {
            run.count += std::min(vectors, left - run.count);
            if (run.count == left) break;  // what comes after the last block is not this reader's to look at
            const std::uint32_t after = next(block);
            follows = after == block + 1;
            block = after;
        }
        return run;
    }

    /// Where the next vector of a list goes.
    struct End {
        std::uint32_t block = 0;  // which holds it
        std::uint32_t at = 0;     // its position in the list
    };

    /// Makes room for `more` vectors at the end of a list. Nothing is seen of them before publish().
    /// Requires: more is positive; one writer.
    End extend(std::size_t list, std::size_t more) noexcept {
        List& to = lists_[list];
        End end{to.tail, to.count};
        const std::uint32_t first = blocks_for(to.count), last = blocks_for(to.count + more);
        for (std::uint32_t made = first; made < last; ++made) {
            const std::uint32_t block = block_count_++;
            KITH_ASSERT(block < block_capacity_);
            if (to.tail == no_slot) {
                to.head = block;
            } else {
                next_of(to.tail) = block;
            }
            if (made == first && to.count % vectors == 0) end.block = block;
            to.tail = block;
        }
        return end;
    }

    /// Moves an end on by one vector. Requires: there is room for it.
    void advance(End& end) const noexcept {
        if (++end.at % vectors == 0) end.block = next(end.block);
    }

    [[nodiscard]] std::byte* writable_record(std::uint32_t block) noexcept {
        return record_memory_.data() + block * record_bytes_;
    }
    [[nodiscard]] Slot* writable_slots(std::uint32_t block) noexcept {
        return reinterpret_cast<Slot*>(slot_memory_.data()) + block * vectors;
    }

    /// Copies the lists of `other`; false where they name a slot that is not below `count`; they are of no use then.
    /// Requires: these are as many lists of records of the same size, empty, with room; nobody writes to `other`.
    bool adopt(const IvfBlocks& other, Slot count) noexcept {
        for (std::size_t list = 0; list < lists_.size(); ++list) {
            const std::uint32_t vectors_of_list = other.count(list);
            if (vectors_of_list == 0) continue;
            std::uint32_t to = extend(list, vectors_of_list).block;
            std::uint32_t from = other.head(list);
            for (std::size_t left = vectors_of_list; left > 0; ++to) {  // blocks made at once follow each other
                const Run run = other.run(from, left, 1);
                const Held held_slots = other.hold_slots(run), held_records = other.hold_records(run);
                const Slot* const slots = other.slots(run.first);
                if (std::any_of(slots, slots + run.count, [&](Slot slot) { return slot >= count; })) return false;
                if (record_bytes_ > 0) std::memcpy(writable_record(to), other.record(run.first), record_bytes_);
                std::copy_n(slots, run.count, writable_slots(to));
                left -= run.count;
            }
            publish(list, vectors_of_list);
        }
        return true;
    }

    /// Lets readers see the first `count` vectors of a list.
    void publish(std::size_t list, std::uint32_t count) noexcept {
        __atomic_store_n(&lists_[list].count, count, __ATOMIC_RELEASE);
    }

private:
    [[nodiscard]] std::uint32_t next(std::uint32_t block) const noexcept {
        if (next_memory_.data() == nullptr) return block + 1;
        return reinterpret_cast<const std::uint32_t*>(next_memory_.data())[block];
    }
    [[nodiscard]] std::uint32_t& next_of(std::uint32_t block) noexcept {
        return reinterpret_cast<std::uint32_t*>(next_memory_.data())[block];
    }

    std::vector<List> lists_;
    std::size_t record_bytes_;
    std::size_t block_capacity_ = 0;
    std::uint32_t block_count_ = 0;
    ReservedMemory record_memory_;  // these three are empty when the lists are mapped
    ReservedMemory slot_memory_;
    ReservedMemory next_memory_;  // the block after each, in its list
    const std::byte* records_;
    const Slot* slots_;
    Residency* residency_ = nullptr;  // of mapped lists, where someone brings them in
};

}  // namespace kith::inline v0_single::detail

// kith/index/ivf/coarse.hpp — the lists nearest to a query, by a graph over the centroids when there are many.
//
// Comparing all centroids costs as much as reading some lists, up to several thousand of them. Beyond that a graph
// finds nearly the same ones in a logarithm of the time. Which lists are read is a matter of recall, so nearly is
// enough; where every list may be needed, all are compared after all.
//
// Thread safety: immutable once built; any number of threads may ask.

// kith/quantize/centroids.hpp — which of many points each of many vectors is nearest to.
//
// Nearest under L2 is the least ‖c‖²/2 − ⟨x, c⟩, for ‖x‖² is the same for all c. So the work is a product of two
// matrices, done in tiles, and the centroids are kept in the panels that the kernels read.
//
// Thread safety: immutable; any number of threads may ask.

namespace kith::inline v0_single {

class Centroids {
public:
    Centroids() noexcept = default;

    /// Shape: `values` holds rows of `dim` elements, one a centroid; dim is positive.
    Centroids(std::vector<float> values, std::size_t dim, Isa isa = best_isa())
        : dim_(dim),
          count_(values.size() / dim),
          products_(product_kernels(isa)),
          lengths_(kernels<InnerProduct, float>(isa)),
          values_(std::move(values)) {
        const std::size_t panel = products_.panel;
        const std::size_t padded = (count_ + panel - 1) / panel * panel;
        panels_.resize(padded * dim_);
        half_norms_.assign(padded, std::numeric_limits<float>::infinity());
        for (std::size_t at = 0; at < count_; ++at) {
            float* const to = &panels_[at / panel * panel * dim_ + at % panel];
            for (std::size_t d = 0; d < dim_; ++d) to[d * panel] = row(at)[d];
            half_norms_[at] = 0.5F * square(row(at));
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] const float* row(std::size_t at) const noexcept { return values_.data() + at * dim_; }
    [[nodiscard]] const std::vector<float>& values() const noexcept { return values_; }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return (values_.size() + panels_.size() + half_norms_.size()) * sizeof(float);
    }

    /// Half of ‖c‖².
    [[nodiscard]] float half_norm(std::size_t at) const noexcept { return half_norms_[at]; }

    /// Inner products with all centroids. Shape: `out` has room for padded() floats; those past size() mean nothing.
    void products(const float* vector, float* out) const noexcept {
        products_.products(vector, dim_, 1, panels_.data(), padded() / products_.panel, dim_, out, padded());
    }
    [[nodiscard]] std::size_t padded() const noexcept { return half_norms_.size(); }

    /// nearest[i] is the centroid nearest to row i, the first of equals; distances[i], unless null, how far it is,
    /// squared.
    /// Requires: there is a centroid. Throws: std::bad_alloc while `scratch` grows.
    /// Laws: a row's answer does not depend on the other rows.
    void nearest(MatrixView rows, std::uint32_t* nearest, float* distances, ScratchMemory& scratch) const {
        KITH_ASSERT(count_ > 0 && rows.dim == dim_);
        constexpr std::size_t block = 24;      // rows whose products are held at once: two tiles of the widest kernel
        constexpr std::size_t columns = 1024;  // and of so many centroids, so that they stay in the near cache
        const std::size_t panels_a_chunk = std::max<std::size_t>(1, columns / products_.panel);
        const std::size_t chunk = panels_a_chunk * products_.panel;
        float* const products = scratch.take_array<float>(block * chunk);
        for (std::size_t first = 0; first < rows.rows; first += block) {
            const std::size_t count = std::min(block, rows.rows - first);
            float best[block];
            for (std::size_t column = 0; column < padded(); column += chunk) {
                const std::size_t width = std::min(chunk, padded() - column);
                products_.products(rows.row(first), rows.stride, count, panels_.data() + column * dim_,
                                   width / products_.panel, dim_, products, chunk);
                for (std::size_t i = 0; i < count; ++i) {
                    float least = 0;
                    const std::uint32_t at =
                        products_.nearest(products + i * chunk, half_norms_.data() + column, width, &least);
                    if (column == 0 || least < best[i]) {
                        best[i] = least;
                        nearest[first + i] = static_cast<std::uint32_t>(column) + at;
                    }
                }
            }
            if (distances == nullptr) continue;
            for (std::size_t i = 0; i < count; ++i) {
                distances[first + i] = std::max(0.0F, 2 * best[i] + square(rows.row(first + i)));
            }
        }
    }

private:
    [[nodiscard]] float square(const float* vector) const noexcept {
        float negative = 0;
        lengths_.block(vector, vector, dim_, dim_, 1, &negative);
        return -negative;
    }

    std::size_t dim_ = 0;
    std::size_t count_ = 0;
    ProductKernels products_;
    Kernels<float> lengths_;
    std::vector<float> values_;      // count_ rows
    std::vector<float> panels_;      // the same as products_ reads them
    std::vector<float> half_norms_;  // count_, then infinity up to whole panels
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

/// A graph over centroids, by L2 or by InnerProduct.
template <bool product>
class CentroidGraph {
    using M = std::conditional_t<product, InnerProduct, L2>;
    using View = RawRows<float, M>;

public:
    explicit CentroidGraph(const Centroids& centroids)
        : dim_(centroids.dim()),
          memory_(rows_of(centroids)),
          kernels_(View::kernels_for(best_isa())),
          graph_(params, static_cast<Slot>(centroids.size())) {
        graph_.insert(view(), static_cast<Slot>(centroids.size()));
    }

    /// The graph that save() wrote, over bytes that outlive it. Throws: Errc::corrupt, Errc::unsupported_version.
    CentroidGraph(const Centroids& centroids, const ImageBytes& image)
        : dim_(centroids.dim()),
          memory_(rows_of(centroids)),
          kernels_(View::kernels_for(best_isa())),
          graph_(HnswIndex<View>::map(image, static_cast<Slot>(centroids.size()))) {}

    /// The same graph as `other`, over the same centroids.
    CentroidGraph(const Centroids& centroids, const CentroidGraph& other)
        : dim_(centroids.dim()),
          memory_(rows_of(centroids)),
          kernels_(other.kernels_),
          graph_(params, static_cast<Slot>(centroids.size())) {
        const auto lists = static_cast<Slot>(centroids.size());
        if (other.graph_.size() != lists || !graph_.adopt(view(), other.graph_)) graph_.insert(view(), lists);
    }

    /// The `count` nearest lists or nearly so, nearest first; returns how many. Uses all of `scratch` that graphs use.
    /// Shape: `out` has room for count. Throws: std::bad_alloc while `scratch` still grows.
    std::size_t nearest(const float* query, std::size_t count, SearchScratch& scratch, Neighbor* out) const {
        const SearchParams search{.limit = count,
                                  .ef_search = static_cast<std::uint32_t>(std::max<std::size_t>(32, count + count / 2)),
                                  .allowed = BitsetView(graph_.size())};
        return graph_.search(view(), query, search, scratch, out);
    }

    template <class Sink>
    void save(const Sink& sink) const {
        graph_.save(sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return View::stride_for(dim_) * sizeof(float) * graph_.size() + graph_.memory_bytes();
    }
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot lists) noexcept {
        return HnswIndex<View>::space(params, lists) + IndexSpace{View::stride_for(dim) * sizeof(float) * lists, 0};
    }

private:
    static constexpr HnswParams params{.max_links = 16, .ef_construction = 100};

    [[nodiscard]] static ReservedMemory rows_of(const Centroids& centroids) {
        const std::size_t stride = View::stride_for(centroids.dim());
        ReservedMemory memory(stride * sizeof(float) * centroids.size());
        auto* const rows = reinterpret_cast<float*>(memory.data());
        for (std::size_t list = 0; list < centroids.size(); ++list) {
            View::write_row(rows + list * stride, centroids.row(list), centroids.dim());
        }
        return memory;
    }

    [[nodiscard]] View view() const noexcept {
        return View(reinterpret_cast<const float*>(memory_.data()), dim_, kernels_);
    }

    std::size_t dim_;
    ReservedMemory memory_;  // the centroids as rows
    Kernels<float> kernels_;
    HnswIndex<View> graph_;
};

}  // namespace kith::inline v0_single::detail

// kith/index/ivf/fill.hpp — putting rows into lists.
//
// Every row's list is found first, in tiles and on all threads; then each list makes room for its own at once and is
// filled by one thread, in the order of slots. So the lists are the same for any number of threads.
//
// Thread safety: one call at a time, beside any number of searches.

// kith/index/ivf/model.hpp — what an inverted file has learned: where its lists lie, and the codes of what is in them.
//
// What a list holds of a vector is up to Codes (no_codes.hpp, pq_codes.hpp, rabitq_codes.hpp); the lists, the blocks
// and the search around them know only what IvfCodes asks for.
//
// Thread safety: immutable once trained.
// Source: Jégou, Douze & Schmid, IEEE TPAMI 33(1), 2011, section IV (codes of residuals).

// kith/index/ivf/params.hpp — what shapes an inverted file.

namespace kith::inline v0_single {

/// Usable as a template argument, so that a schema can name it.
struct IvfParams {
    std::uint32_t lists = 0;          ///< parts the space is cut into; 0: about 2 √count when it is trained
    std::uint32_t nprobe = 0;         ///< lists a search reads unless it says otherwise; 0: a sixteenth, at least 8
    std::uint32_t subvectors = 0;     ///< pieces of a product code; 0: chosen by the dimension
    std::uint32_t graph_from = 8192;  ///< with so many lists and more, a graph finds the nearest ones
    std::uint64_t seed = 0x6b697468;  ///< same seed, same rows: same lists

    static constexpr std::uint32_t most_lists = 1U << 20;
    static constexpr std::uint32_t most_subvectors = 4096;
    static constexpr std::uint32_t rows_a_list = 32;  ///< with fewer rows a list it is not trained but scans

    /// The lists to make of `count` rows.
    [[nodiscard]] std::size_t lists_for(std::size_t count) const noexcept {
        if (lists != 0) return lists;
        const auto wanted = static_cast<std::size_t>(2 * std::sqrt(static_cast<double>(count)));
        return wanted < 16 ? 16 : wanted / 16 * 16;
    }

    /// Rows from which on there is something to train.
    [[nodiscard]] std::size_t trains_from() const noexcept {
        constexpr std::size_t scanned = 5000;  // below that comparing all is as fast
        return lists != 0 ? std::size_t{lists} * rows_a_list : scanned;
    }

    friend constexpr bool operator==(const IvfParams&, const IvfParams&) noexcept = default;
};

}  // namespace kith::inline v0_single

// kith/quantize/kmeans.hpp — a few points that stand for many: what lists and codebooks are made of.
//
// It begins with points far apart (k-means++ on a part of the sample) and moves each to the mean of what is nearest to
// it. Nearly all of the time goes into finding the nearest, in tiles and on every thread; sums are made one centroid at
// a time, over its rows in order, so the outcome is the same for any number of threads.
//
// Thread safety: a call works alone, on threads of its own.
// Source: Lloyd, IEEE Trans. Information Theory 28(2), 1982; Arthur & Vassilvitskii, "k-means++", SODA 2007.

namespace kith::inline v0_single {

struct KMeansParams {
    std::size_t centroids = 256;
    unsigned iterations = 10;          ///< at most; it ends sooner when a step gains less than `least_gain`
    std::size_t rows_a_centroid = 64;  ///< at most so many rows are looked at for each, chosen at random
    double least_gain = 1e-3;          ///< of the error, as a share of it
};

struct KMeans {
    std::vector<float> values;  ///< rows of `dim` elements, one a centroid
    std::size_t distinct = 0;   ///< centroids some row is nearest to; fewer than asked for where rows repeat
    double error = 0;           ///< mean squared distance of a row from its centroid, one step before the last
};

namespace detail {

/// `wanted` numbers below `count`, rising, each set of them as likely. All of them when wanted is no less than count.
/// Source: Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S.
inline std::vector<std::size_t> sample_of(std::size_t count, std::size_t wanted, std::uint64_t seed) {
    std::vector<std::size_t> chosen;
    chosen.reserve(std::min(count, wanted));
    SplitMix64 random(seed);
    for (std::size_t at = 0; at < count && chosen.size() < wanted; ++at) {
        if (count <= wanted || random.below(count - at) < wanted - chosen.size()) chosen.push_back(at);
    }
    return chosen;
}

/// One run of k-means over rows that lie close together.
class KMeansRun {
public:
    KMeansRun(MatrixView rows, const KMeansParams& params, const Training& training)
        : rows_(rows),
          params_(params),
          training_(training),
          isa_(best_isa()),
          nearest_(rows.rows),
          distances_(rows.rows),
          scratch_(std::max(1U, training.threads)) {}

    KMeans run() {
        KMeans made;
        made.values = spread();
        double before = 0;
        for (unsigned step = 0; step < std::max(1U, params_.iterations); ++step) {
            training_.report(share(step, 0));
            find_nearest(Centroids(made.values, rows_.dim, isa_), step);
            made.error = std::accumulate(distances_.begin(), distances_.end(), 0.0) / static_cast<double>(rows_.rows);
            made.distinct = move(made.values);
            if (made.error == 0 || (step > 0 && before - made.error < params_.least_gain * before)) break;
            before = made.error;
        }
        return made;
    }

private:
    [[nodiscard]] double share(unsigned step, double part) const noexcept {
        return (static_cast<double>(step) + part) / std::max(1U, params_.iterations);
    }

    /// Rows that lie apart: each is drawn with a chance proportional to its squared distance from those before it. A
    /// few rows a centroid are enough to draw from.
    std::vector<float> spread() {
        constexpr std::size_t rows_each = 4;
        const std::size_t dim = rows_.dim;
        const std::vector<std::size_t> drawn =
            sample_of(rows_.rows, std::max<std::size_t>(params_.centroids * rows_each, 256), mix64(training_.seed + 1));
        std::vector<float> pool(drawn.size() * dim);
        for (std::size_t i = 0; i < drawn.size(); ++i) std::copy_n(rows_.row(drawn[i]), dim, &pool[i * dim]);

        const Kernels<float> distance = kernels<L2, float>(isa_);
        SplitMix64 random(training_.seed);
        std::vector<float> values;
        values.reserve(params_.centroids * dim);
        std::vector<float> to_new(drawn.size()), to_nearest(drawn.size(), std::numeric_limits<float>::max());
        std::size_t next = static_cast<std::size_t>(random.below(drawn.size()));
        for (std::size_t made = 0; made < params_.centroids; ++made) {
            if (made % 64 == 0) training_.report(0);
            values.insert(values.end(), &pool[next * dim], &pool[next * dim] + dim);
            distance.block(&pool[next * dim], pool.data(), dim, dim, drawn.size(), to_new.data());
            double sum = 0;
            for (std::size_t i = 0; i < drawn.size(); ++i) {
                to_nearest[i] = std::min(to_nearest[i], to_new[i]);
                sum += static_cast<double>(to_nearest[i]);
            }
            double left = random.uniform() * sum;
            next = 0;
            for (std::size_t i = 0; i < drawn.size(); ++i) {
                if (to_nearest[i] > 0) next = i;  // the last that has a chance, should rounding pass the end
                left -= static_cast<double>(to_nearest[i]);
                if (left < 0) break;
            }
        }
        return values;
    }

    void find_nearest(const Centroids& centroids, unsigned step) {
        constexpr std::size_t piece_rows = 480;
        const std::size_t pieces = (rows_.rows + piece_rows - 1) / piece_rows;
        share_work(training_.threads, pieces, [&](std::size_t piece, unsigned thread) {
            if (thread == 0 && piece % 16 == 0) {
                training_.report(share(step, static_cast<double>(piece) / static_cast<double>(pieces)));
            }
            const std::size_t first = piece * piece_rows;
            const MatrixView some{rows_.row(first), std::min(piece_rows, rows_.rows - first), rows_.dim, rows_.stride};
            centroids.nearest(some, &nearest_[first], &distances_[first], scratch_[thread]);
        });
        training_.report(share(step, 1));
    }

    /// Moves each centroid to the mean of its rows, and those without rows to where the error is largest; returns how
    /// many had rows.
    std::size_t move(std::vector<float>& values) {
        const std::size_t dim = rows_.dim;
        std::vector<std::size_t> ends(params_.centroids + 1);
        for (const std::uint32_t centroid : nearest_) ++ends[centroid + 1];
        std::partial_sum(ends.begin(), ends.end(), ends.begin());
        std::vector<std::size_t> order(rows_.rows), next(ends.begin(), ends.end() - 1);
        for (std::size_t row = 0; row < rows_.rows; ++row) order[next[nearest_[row]]++] = row;

        std::vector<double> errors(params_.centroids);
        share_work(training_.threads, params_.centroids, [&](std::size_t centroid, unsigned) {
            const std::size_t count = ends[centroid + 1] - ends[centroid];
            if (count == 0) return;
            std::vector<double> sums(dim);
            for (std::size_t i = ends[centroid]; i < ends[centroid + 1]; ++i) {
                const float* const row = rows_.row(order[i]);
                for (std::size_t d = 0; d < dim; ++d) sums[d] += static_cast<double>(row[d]);
                errors[centroid] += static_cast<double>(distances_[order[i]]);
            }
            for (std::size_t d = 0; d < dim; ++d) {
                values[centroid * dim + d] = static_cast<float>(sums[d] / static_cast<double>(count));
            }
        });

        std::size_t used = 0;
        for (std::size_t centroid = 0; centroid < params_.centroids; ++centroid) {
            if (ends[centroid + 1] > ends[centroid]) {
                ++used;
                continue;
            }
            const auto worst =
                static_cast<std::size_t>(std::max_element(errors.begin(), errors.end()) - errors.begin());
            const auto begin = order.begin() + static_cast<std::ptrdiff_t>(ends[worst]);
            const auto end = order.begin() + static_cast<std::ptrdiff_t>(ends[worst + 1]);
            if (!(errors[worst] > 0)) continue;  // every row lies on a centroid: there is nothing to move to
            const std::size_t farthest = *std::max_element(
                begin, end, [&](std::size_t a, std::size_t b) { return distances_[a] < distances_[b]; });
            std::copy_n(rows_.row(farthest), dim, &values[centroid * dim]);
            errors[worst] -= static_cast<double>(distances_[farthest]);
            distances_[farthest] = 0;
        }
        return used;
    }

    MatrixView rows_;
    const KMeansParams& params_;
    const Training& training_;
    Isa isa_;
    std::vector<std::uint32_t> nearest_;  // of each row
    std::vector<float> distances_;        // of each row to its nearest, squared
    std::vector<ScratchMemory> scratch_;  // one a thread
};

}  // namespace detail

/// Points that stand for `rows`, in no order that means anything.
/// Throws: Errc::invalid_argument for fewer rows than centroids, no centroids or no dimension; Errc::cancelled and what
///         training.progress throws.
/// Cost: 2 · rows looked at · centroids · dim floating-point operations a step.
[[nodiscard]] inline KMeans train_kmeans(MatrixView rows, const KMeansParams& params, const Training& training) {
    if (params.centroids == 0 || rows.dim == 0) {
        raise(Errc::invalid_argument, "k-means needs at least one centroid and one dimension");
    }
    if (rows.rows < params.centroids) {
        raise(Errc::invalid_argument, "k-means cannot find " + std::to_string(params.centroids) + " centroids in " +
                                          std::to_string(rows.rows) + " vectors");
    }
    const std::size_t most = params.centroids * std::max<std::size_t>(1, params.rows_a_centroid);
    if (rows.rows <= most) return detail::KMeansRun(rows, params, training).run();
    const std::vector<std::size_t> chosen = detail::sample_of(rows.rows, most, mix64(training.seed + 2));
    std::vector<float> sample(chosen.size() * rows.dim);
    for (std::size_t i = 0; i < chosen.size(); ++i) std::copy_n(rows.row(chosen[i]), rows.dim, &sample[i * rows.dim]);
    return detail::KMeansRun({sample.data(), chosen.size(), rows.dim, rows.dim}, params, training).run();
}

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

template <class R>
struct MetricOf;
template <class T, class M>
struct MetricOf<RawRows<T, M>> {
    using type = M;
};

template <class R>
inline constexpr bool is_cosine_rows = std::same_as<typename MetricOf<R>::type, Cosine>;
template <class R>
inline constexpr bool is_product_rows = std::same_as<typename MetricOf<R>::type, InnerProduct>;

/// Writes the vector of a row as lists see it: of length one under Cosine, as it is otherwise.
template <class R>
void prepare_row(const R& rows, Slot slot, float* out) noexcept {
    rows.decode(slot, out);
    if constexpr (is_cosine_rows<R>) {
        const float scale = rows.inverse_norm(slot);
        for (std::size_t d = 0; d < rows.dim(); ++d) out[d] *= scale;
    }
}

/// How a metric compares vectors as lists see them: ½ weight · ‖x − y‖², or −⟨x, y⟩ when it is a product.
struct IvfForm {
    bool product = false;
    float weight = 2;
};

template <class R>
inline constexpr IvfForm form_of{is_product_rows<R>, is_cosine_rows<R> || is_product_rows<R> ? 1.0F : 2.0F};

/// What codes are trained with. The sample's vectors are as lists see them.
struct IvfLesson {
    const Centroids& centroids;
    MatrixView sample;
    const IvfParams& params;
    IvfForm form;
    const Training& training;
};

/// Sizes of what codes keep in an image, in elements.
struct IvfParts {
    std::uint64_t mean = 0;          // floats
    std::uint64_t words = 0;         // floats
    std::uint64_t record_bytes = 0;  // a multiple of 64
};

struct IvfHeader;

/// Codes say what a list holds of each vector besides its slot, and how a search reads it.
///   coded         whether it is anything at all; if not, an Encoder can do nothing
///   content       what an image calls it: at most 8 letters
///   train         learns from a lesson; check() refuses parameters before anything is learned
///   Encoder       (codes, centroids, form): the caller puts a vector at vector(), put(list, record, at) writes its
///   code Scan<R>       one search: read(blocks, at) reads the list that is number `at` in order, found() is how many
///                 vectors it has, finish(blocks) ends it; see search.hpp
///   pieces_for    how many pieces a code has: the sub-vectors of a header
///   parts         of a header whose numbers are possible(); describe() and load() are each other's inverse
template <class C>
concept IvfCodes = requires(const C& codes, IvfHeader& header, const IvfLesson& lesson, std::vector<float> floats) {
    { C::coded } -> std::convertible_to<bool>;
    { C::content } -> std::convertible_to<std::string_view>;
    { C::train(lesson) } -> std::same_as<C>;
    { C::check(lesson.params, std::size_t{1}) } -> std::same_as<void>;
    { C::pieces_for(lesson.params, std::size_t{1}) } -> std::same_as<std::size_t>;
    { C::possible(std::as_const(header)) } -> std::same_as<bool>;
    { C::parts(std::as_const(header)) } -> std::same_as<IvfParts>;
    { C::load(std::as_const(header), floats, floats) } -> std::same_as<C>;
    { codes.describe(header) } -> std::same_as<void>;
    { codes.mean() } -> std::same_as<const std::vector<float>&>;
    { codes.words() } -> std::same_as<const std::vector<float>&>;
    { codes.record_bytes() } -> std::same_as<std::size_t>;
};

template <IvfCodes Codes>
struct IvfModel {
    Centroids centroids;
    Codes codes;
    double trained_error = 0;  // mean squared distance of the sample from its centroids

    [[nodiscard]] std::size_t dim() const noexcept { return centroids.dim(); }
    [[nodiscard]] std::size_t lists() const noexcept { return centroids.size(); }
};

/// The mean of the rows.
inline std::vector<float> mean_of_sample(MatrixView sample) {
    std::vector<double> sums(sample.dim);
    for (std::size_t row = 0; row < sample.rows; ++row) {
        for (std::size_t d = 0; d < sample.dim; ++d) sums[d] += static_cast<double>(sample.row(row)[d]);
    }
    std::vector<float> mean;
    for (const double sum : sums) mean.push_back(static_cast<float>(sum / static_cast<double>(sample.rows)));
    return mean;
}

/// Learns from the first `count` rows.
/// Throws: Errc::invalid_argument for parameters that do not fit; Errc::cancelled; what progress throws.
template <IvfCodes Codes, class R>
IvfModel<Codes> train_ivf(const R& rows, Slot count, const IvfParams& params, const Training& training) {
    const std::size_t dim = rows.dim();
    const std::size_t lists = params.lists_for(count);
    if (lists > IvfParams::most_lists || params.subvectors > IvfParams::most_subvectors) {
        raise(Errc::invalid_argument, "Ivf takes up to " + std::to_string(IvfParams::most_lists) + " lists and " +
                                          std::to_string(IvfParams::most_subvectors) + " sub-vectors");
    }
    Codes::check(params, dim);
    if (count < lists) {
        raise(Errc::invalid_argument,
              "Ivf cannot make " + std::to_string(lists) + " lists of " + std::to_string(count) + " vectors");
    }
    constexpr std::size_t rows_a_list = 64;
    const std::vector<std::size_t> chosen = sample_of(count, lists * rows_a_list, mix64(training.seed));
    std::vector<float> sample(chosen.size() * dim);
    for (std::size_t i = 0; i < chosen.size(); ++i) prepare_row(rows, static_cast<Slot>(chosen[i]), &sample[i * dim]);
    const MatrixView view{sample.data(), chosen.size(), dim, dim};

    constexpr double for_lists = 0.8;  // of the time
    Training part = training;
    if (training.progress) part.progress = [&](double done) { return training.progress(done * for_lists); };
    const KMeans made =
        train_kmeans(view, {.centroids = lists, .iterations = 10, .rows_a_centroid = rows_a_list}, part);
    IvfModel<Codes> model;
    model.centroids = Centroids(made.values, dim);
    model.trained_error = made.error;
    if (training.progress) {
        part.progress = [&](double done) { return training.progress(for_lists + done * (1 - for_lists)); };
    }
    model.codes = Codes::train({model.centroids, view, params, form_of<R>, part});
    return model;
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

/// The list of each row from `first` to `count`; adds their squared distances from its centroid to `error`.
template <class Codes, class R>
std::vector<std::uint32_t> lists_of(const IvfModel<Codes>& model, const R& rows, Slot first, Slot count,
                                    unsigned threads, double& error) {
    constexpr std::size_t piece_rows = 480;
    const std::size_t dim = model.dim(), added = count - first;
    std::vector<std::uint32_t> nearest(added);
    std::vector<float> distances(added);
    std::vector<ScratchMemory> products(std::max(1U, threads)), prepared(std::max(1U, threads));
    share_work(threads, (added + piece_rows - 1) / piece_rows, [&](std::size_t piece, unsigned thread) {
        const std::size_t begin = piece * piece_rows, size = std::min(piece_rows, added - begin);
        float* const vectors = prepared[thread].take_array<float>(piece_rows * dim);
        for (std::size_t i = 0; i < size; ++i) {
            prepare_row(rows, first + static_cast<Slot>(begin + i), vectors + i * dim);
        }
        model.centroids.nearest({vectors, size, dim, dim}, &nearest[begin], &distances[begin], products[thread]);
    });
    for (const float distance : distances) error += static_cast<double>(distance);
    return nearest;
}

/// Adds the rows from `first` to `count` to their lists. Throws: std::bad_alloc before anything is changed.
template <class Codes, class R>
void fill_lists(const IvfModel<Codes>& model, IvfBlocks& blocks, const R& rows, Slot first,
                const std::vector<std::uint32_t>& list_of, unsigned threads) {
    std::vector<std::size_t> ends(model.lists() + 1);
    for (const std::uint32_t list : list_of) ++ends[list + 1];
    std::partial_sum(ends.begin(), ends.end(), ends.begin());
    std::vector<Slot> order(list_of.size());
    std::vector<std::size_t> next(ends.begin(), ends.end() - 1);
    for (std::size_t i = 0; i < list_of.size(); ++i) order[next[list_of[i]]++] = first + static_cast<Slot>(i);
    std::vector<typename Codes::Encoder> encoders(std::max(1U, threads),
                                                  typename Codes::Encoder(model.codes, model.centroids, form_of<R>));
    std::vector<IvfBlocks::End> to(model.lists());

    for (std::size_t list = 0; list < model.lists(); ++list) {
        if (ends[list + 1] > ends[list]) to[list] = blocks.extend(list, ends[list + 1] - ends[list]);
    }
    share_work(threads, model.lists(), [&](std::size_t list, unsigned thread) {
        if (ends[list + 1] == ends[list]) return;
        IvfBlocks::End end = to[list];
        for (std::size_t i = ends[list]; i < ends[list + 1]; ++i) {
            if (i > ends[list]) blocks.advance(end);
            const std::size_t within = end.at % IvfBlocks::vectors;
            blocks.writable_slots(end.block)[within] = order[i];
            if constexpr (Codes::coded) {
                prepare_row(rows, order[i], encoders[thread].vector());
                encoders[thread].put(list, blocks.writable_record(end.block), within);
            }
        }
        blocks.publish(list, end.at + 1);
    });
}

}  // namespace kith::inline v0_single::detail

// kith/index/ivf/format.hpp — the bytes of a finished inverted file, written once and mapped.
//
//   image    = header centroids mean words counts records slots graph   each part begins at a multiple of 64 bytes,
//                                                                  zeros between
//   header   = magic:8 version:u32 dim:u32 lists:u32 count:u32 subvectors:u32 blocks:u32 nprobe:u32 wished_lists:u32
//              wished_subvectors:u32 offset_low:f32 offset_step:f32 metric:16 seed:u64 trained_error:f64
//              added_error:f64 added:u64 graph_bytes:u64 graph_from:u32 content:8 rotation_seed:u64;
//              lists is 0 when it is not trained, content is "rabitq1" or zeros
//   centroids = lists rows of dim f32        mean = dim f32, none without codes
//   words    = pieces of 16 words of f32, for product codes alone      counts = lists u32, the vectors of each
//   records, slots = the blocks of each list in order, see blocks.hpp; what no vector fills is zero. Codes have
//              offsets beside them in records of product codes, bounds in those of RaBitQ (distance/fast_scan.hpp)
//   graph    = the image of a graph over the centroids (hnsw/format.hpp), or nothing
//
// All of it little-endian. Blocks are mapped as they are, so a big-endian machine refuses it; the rest is copied, for
// kernels want it in another order. Whoever stores the image adds the checksum. Sizes, counts and numbers are checked
// here; slots are checked by the search, which returns none that it was not allowed.

namespace kith::inline v0_single::detail {

inline constexpr std::string_view ivf_magic = "kith_ivf";  // on disk
inline constexpr std::uint32_t ivf_version = 1;            // on disk
inline constexpr std::size_t ivf_header_bytes = 128;       // on disk
inline constexpr std::size_t ivf_alignment = 64;           // on disk
inline constexpr std::size_t ivf_metric_bytes = 16;        // on disk
inline constexpr std::size_t ivf_content_bytes = 8;        // on disk

/// The numbers of a header, in the order they are written.
struct IvfHeader {
    std::uint32_t dim = 0, lists = 0, count = 0, subvectors = 0, blocks = 0;
    IvfParams params;
    float offset_low = 0, offset_step = 0;  // of product codes
    double trained_error = 0, added_error = 0;
    std::uint64_t added = 0;
    std::uint64_t graph_bytes = 0;
    std::uint64_t rotation_seed = 0;  // of RaBitQ
};

/// Where the parts of an image begin, from its start.
struct IvfLayout {
    std::uint64_t centroids, mean, words, counts, records, slots, graph, end;

    static IvfLayout of(const IvfHeader& header, const IvfParts& parts) noexcept {
        const auto next = [](std::uint64_t at) { return (at + ivf_alignment - 1) / ivf_alignment * ivf_alignment; };
        IvfLayout layout{};
        layout.centroids = ivf_header_bytes;
        layout.mean = next(layout.centroids + std::uint64_t{4} * header.lists * header.dim);
        layout.words = next(layout.mean + 4 * parts.mean);
        layout.counts = next(layout.words + 4 * parts.words);
        layout.records = next(layout.counts + std::uint64_t{4} * header.lists);
        layout.slots = next(layout.records + parts.record_bytes * header.blocks);
        layout.graph = layout.slots + std::uint64_t{4} * IvfBlocks::vectors * header.blocks;
        layout.end = layout.graph + header.graph_bytes;
        return layout;
    }
};

/// A name in a field of `bytes` bytes, zeros behind it.
inline std::string ivf_name(std::string_view name, std::size_t bytes) {
    std::string field(name.substr(0, bytes));
    field.resize(bytes);
    return field;
}

inline std::string ivf_header(const IvfHeader& header, std::string_view metric, std::string_view content) {
    std::string bytes;
    ByteWriter writer(bytes);
    writer.bytes(ivf_magic);
    writer.u32(ivf_version);
    for (const std::uint32_t number : {header.dim, header.lists, header.count, header.subvectors, header.blocks,
                                       header.params.nprobe, header.params.lists, header.params.subvectors}) {
        writer.u32(number);
    }
    writer.f32(header.offset_low);
    writer.f32(header.offset_step);
    writer.bytes(ivf_name(metric, ivf_metric_bytes));
    writer.u64(header.params.seed);
    writer.f64(header.trained_error);
    writer.f64(header.added_error);
    writer.u64(header.added);
    writer.u64(header.graph_bytes);
    writer.u32(header.params.graph_from);
    writer.bytes(ivf_name(content, ivf_content_bytes));
    writer.u64(header.rotation_seed);
    bytes.resize(ivf_header_bytes);
    return bytes;
}

/// Writes bytes to a sink and counts them, so that parts begin where the layout says.
template <class Sink>
class IvfImage {
public:
    explicit IvfImage(const Sink& sink) noexcept : sink_(sink) {}

    void bytes(const void* data, std::size_t count) {
        if (count > 0) sink_(data, count);
        written_ += count;
    }
    void floats(const std::vector<float>& values) { bytes(values.data(), values.size() * sizeof(float)); }
    void align() {
        const std::array<char, ivf_alignment> zeros{};
        bytes(zeros.data(), (ivf_alignment - written_ % ivf_alignment) % ivf_alignment);
    }

private:
    const Sink& sink_;
    std::size_t written_ = 0;
};

/// Calls act(block, vectors in it) for the blocks of all lists in order.
template <class Act>
void each_block(const IvfBlocks& blocks, const Act& act) {
    for (std::size_t list = 0; list < blocks.lists(); ++list) {
        std::size_t left = blocks.count(list);
        std::uint32_t block = blocks.head(list);
        while (left > 0) {
            const IvfBlocks::Run run = blocks.run(block, left, 1);
            act(run.first, run.count);
            left -= run.count;
        }
    }
}

/// Writes lists and model. `header` holds what is not theirs.
/// Throws: Errc::unsupported_version on a big-endian machine; what the sink throws.
template <class Codes, class Sink>
void save_ivf(const IvfModel<Codes>& model, const IvfBlocks& blocks, const std::string& graph, IvfHeader header,
              std::string_view metric, const Sink& sink) {
    if constexpr (std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "ivf image: this format is for little-endian machines");
    }
    header.dim = static_cast<std::uint32_t>(model.dim());
    header.lists = static_cast<std::uint32_t>(model.lists());
    model.codes.describe(header);
    header.trained_error = model.trained_error;
    header.graph_bytes = graph.size();
    each_block(blocks, [&](std::uint32_t, std::size_t) { ++header.blocks; });

    IvfImage<Sink> image(sink);
    const std::string bytes = ivf_header(header, metric, Codes::content);
    image.bytes(bytes.data(), bytes.size());
    for (const std::vector<float>* part : {&model.centroids.values(), &model.codes.mean(), &model.codes.words()}) {
        image.floats(*part);
        image.align();
    }
    for (std::size_t list = 0; list < blocks.lists(); ++list) {
        const std::uint32_t count = blocks.count(list);
        image.bytes(&count, sizeof(count));
    }
    image.align();
    each_block(blocks,
               [&](std::uint32_t block, std::size_t) { image.bytes(blocks.record(block), blocks.record_bytes()); });
    each_block(blocks, [&](std::uint32_t block, std::size_t) {
        image.bytes(blocks.slots(block), IvfBlocks::vectors * sizeof(Slot));
    });
    image.bytes(graph.data(), graph.size());
}

template <class Codes>
struct MappedIvf {
    IvfHeader header;
    std::optional<std::pair<IvfModel<Codes>, IvfBlocks>> trained;
    ImageBytes graph;  // empty where there is none
};

/// Copies a part of an image, some at a time, so that no more than a little of it need be in memory.
inline void copy_mapped(const ImageBytes& image, std::uint64_t at, void* to, std::size_t bytes) noexcept {
    for (std::size_t done = 0; done < bytes;) {
        const std::size_t now = std::min(bytes - done, Residency::most_bytes);
        const Held held = image.hold(at + done, now);
        std::memcpy(static_cast<std::byte*>(to) + done, image.data() + at + done, now);
        done += now;
    }
}

/// The floats of a part. Throws: Errc::corrupt when one is not finite.
inline std::vector<float> mapped_floats(const ImageBytes& image, std::uint64_t at, std::uint64_t count) {
    std::vector<float> values(count);
    copy_mapped(image, at, values.data(), count * sizeof(float));
    for (std::size_t i = 0; i < count; ++i) {
        if (!std::isfinite(values[i])) {
            raise(Errc::corrupt, "ivf image: no finite number at offset " + std::to_string(at + 4 * i));
        }
    }
    return values;
}

/// Reads and checks the header of an image of `count` rows.
/// Throws: Errc::corrupt, Errc::unsupported_version; the text says what is wrong and at which offset.
template <class Codes>
IvfHeader mapped_ivf_header(const ImageBytes& image, Slot count, std::string_view metric) {
    const Held held = image.hold(0, ivf_header_bytes);
    ByteReader reader(std::string_view(reinterpret_cast<const char*>(image.data()), image.size()));
    std::string_view magic, stored_metric, content;
    std::uint32_t version = 0;
    IvfHeader header;
    if (!reader.bytes(ivf_magic.size(), magic) || magic != ivf_magic) {
        raise(Errc::corrupt, "ivf image: no magic number at offset 0");
    }
    if (!reader.u32(version) || version != ivf_version || std::endian::native != std::endian::little) {
        raise(Errc::unsupported_version, "ivf image: has version " + std::to_string(version) + ", this build reads " +
                                             std::to_string(ivf_version));
    }
    bool whole = image.size() >= ivf_header_bytes;
    for (std::uint32_t* const number : {&header.dim, &header.lists, &header.count, &header.subvectors, &header.blocks,
                                        &header.params.nprobe, &header.params.lists, &header.params.subvectors}) {
        whole = whole && reader.u32(*number);
    }
    whole = whole && reader.f32(header.offset_low) && reader.f32(header.offset_step) &&
            reader.bytes(ivf_metric_bytes, stored_metric) && reader.u64(header.params.seed) &&
            reader.f64(header.trained_error) && reader.f64(header.added_error) && reader.u64(header.added) &&
            reader.u64(header.graph_bytes) && reader.u32(header.params.graph_from) &&
            reader.bytes(ivf_content_bytes, content) && reader.u64(header.rotation_seed);
    if (!whole) {
        raise(Errc::corrupt, "ivf image: ends at offset " + std::to_string(image.size()) + ", within its header");
    }
    if (stored_metric != ivf_name(metric, ivf_metric_bytes)) {
        raise(Errc::corrupt, "ivf image: another metric at offset 52");
    }
    if (content != ivf_name(Codes::content, ivf_content_bytes)) {
        raise(Errc::corrupt, "ivf image: lists of another content at offset 112");
    }
    if (header.count != count) {
        raise(Errc::corrupt, "ivf image: the count at offset 20 is " + std::to_string(header.count) + ", not " +
                                 std::to_string(count));
    }
    const bool trained = header.lists > 0;
    const bool possible =
        header.lists <= IvfParams::most_lists && header.params.lists <= IvfParams::most_lists &&
        header.subvectors <= IvfParams::most_subvectors && header.params.subvectors <= IvfParams::most_subvectors &&
        (trained ? header.dim > 0 && Codes::possible(header) : header.dim == 0 && header.subvectors == 0) &&
        header.blocks <= count / IvfBlocks::vectors + header.lists && header.graph_bytes <= image.size() &&
        std::isfinite(header.trained_error) && std::isfinite(header.added_error);
    if (!possible) raise(Errc::corrupt, "ivf image: impossible numbers in the header from offset 12");
    const std::uint64_t end = trained ? IvfLayout::of(header, Codes::parts(header)).end : ivf_header_bytes;
    if (image.size() != end) {
        raise(Errc::corrupt, "ivf image: holds " + std::to_string(image.size()) + " bytes, its header asks for " +
                                 std::to_string(end));
    }
    return header;
}

/// Requires: image.data() is aligned to 64 bytes. Throws: Errc::corrupt, Errc::unsupported_version.
template <class Codes>
MappedIvf<Codes> map_ivf(const ImageBytes& image, Slot count, std::string_view metric) {
    MappedIvf<Codes> mapped{mapped_ivf_header<Codes>(image, count, metric), {}, {}};
    const IvfHeader& header = mapped.header;
    if (header.lists == 0) return mapped;
    const IvfParts parts = Codes::parts(header);
    const IvfLayout layout = IvfLayout::of(header, parts);
    IvfModel<Codes> model;
    model.centroids =
        Centroids(mapped_floats(image, layout.centroids, std::uint64_t{header.lists} * header.dim), header.dim);
    model.codes = Codes::load(header, mapped_floats(image, layout.mean, parts.mean),
                              mapped_floats(image, layout.words, parts.words));
    model.trained_error = header.trained_error;

    std::vector<std::uint32_t> counts(header.lists);
    copy_mapped(image, layout.counts, counts.data(), counts.size() * sizeof(std::uint32_t));
    std::uint64_t vectors = 0, blocks = 0;
    for (const std::uint32_t size : counts) {
        vectors += size;
        blocks += IvfBlocks::blocks_for(size);
    }
    if (vectors != count || blocks != header.blocks) {
        raise(Errc::corrupt,
              "ivf image: the counts of the lists from offset " + std::to_string(layout.counts) + " do not add up");
    }
    mapped.graph = image.subspan(layout.graph, header.graph_bytes);
    mapped.trained.emplace(std::move(model),
                           IvfBlocks(counts, parts.record_bytes, image.data() + layout.records,
                                     reinterpret_cast<const Slot*>(image.data() + layout.slots), image.residency));
    return mapped;
}

}  // namespace kith::inline v0_single::detail

// kith/index/ivf/no_codes.hpp — lists of nothing but slots: every vector of a list that is read is compared.
//
// Thread safety: a scan belongs to one search.

// kith/index/ivf/search.hpp — asking the lists nearest to a query.
//
// Lists are put in order of their centroids, as many as are wanted, and read one after the other. How a list is read is
// the codes' own (Codes::Scan): it reads vectors, and says in the end which were nearest.
//
// Thread safety: reads only; any number at a time, beside a writer.

namespace kith::inline v0_single::detail {

template <class R>
using IvfScorer = decltype(std::declval<const R&>().scorer(nullptr, std::declval<ScratchMemory&>()));

/// What one search wants to know, and where it works.
template <class R>
struct IvfQuestion {
    const R& rows;
    const float* query;
    const SearchParams& params;
    Slot listed;         // slots in the lists when this search began; more may come beside it
    BitsetView allowed;  // the slots that may be returned, all of them below `listed`
    std::size_t limit;   // neighbours wanted, positive
    SearchScratch& scratch;

    [[nodiscard]] IvfScorer<R> scorer() const { return rows.scorer(query, scratch.query); }

    /// True when every slot in the lists may be returned, or came beside this search.
    [[nodiscard]] bool all() const noexcept { return params.allowed.all() && allowed.count() == listed; }
};

/// Memory for several arrays, each aligned to a cache line, carved from one piece. Shape: bytes[i] for array i.
template <std::size_t count>
std::array<std::byte*, count> carve(ScratchMemory& memory, const std::array<std::size_t, count>& bytes) {
    std::array<std::size_t, count> at{};
    std::size_t end = 0;
    for (std::size_t i = 0; i < count; ++i) {
        at[i] = end;
        end += (bytes[i] + ScratchMemory::alignment - 1) / ScratchMemory::alignment * ScratchMemory::alignment;
    }
    std::byte* const from = memory.take(end);
    std::array<std::byte*, count> arrays{};
    for (std::size_t i = 0; i < count; ++i) arrays[i] = from + at[i];
    return arrays;
}

/// A query against the lists of one model, in memory of scratch.lists.
template <class R>
class IvfQuery {
    static constexpr bool product = is_product_rows<R>;

public:
    static constexpr std::size_t blocks_at_once = 16;
    static constexpr std::size_t vectors_at_once = blocks_at_once * IvfBlocks::vectors;

    /// Requires: `graph`, unless null, is over the centroids.
    IvfQuery(const Centroids& centroids, const CentroidGraph<product>* graph, const float* query,
             SearchScratch& scratch)
        : centroids_(centroids), graph_(graph), search_(scratch) {
        const std::size_t dim = centroids.dim();
        const auto arrays = carve<3>(scratch.lists, {dim * sizeof(float), centroids.padded() * sizeof(float),
                                                     centroids.size() * sizeof(Candidate)});
        query_ = reinterpret_cast<float*>(arrays[0]);
        products_ = reinterpret_cast<float*>(arrays[1]);
        lists_ = reinterpret_cast<Candidate*>(arrays[2]);
        float scale = 1;
        if constexpr (is_cosine_rows<R>) scale = inverse_norm(query, dim);
        for (std::size_t d = 0; d < dim; ++d) {
            query_[d] = query[d] * scale;
            square_ += query_[d] * query_[d];
        }
        if (graph_ == nullptr) compare_lists();
    }

    /// Puts the next nearest lists in order, up to `count` of all; returns how many are. A graph is asked once.
    /// Throws: std::bad_alloc while a graph's scratch grows.
    std::size_t sort_lists(std::size_t sorted, std::size_t count) {
        count = std::min(count, centroids_.size());
        if (count <= sorted) return sorted;
        if (graph_ != nullptr) return sorted == 0 ? ask_graph(count) : sorted;
        std::size_t among = centroids_.size();
        if (sorted == 0 && among >= 512 && count * 4 <= among) among = near_lists(count);
        if (count < among) std::nth_element(lists_ + sorted, lists_ + count - 1, lists_ + among);
        std::sort(lists_ + sorted, lists_ + count);
        return count;
    }

    /// The query as lists see it: dim() elements.
    [[nodiscard]] const float* vector() const noexcept { return query_; }

    /// The number of the list that is `at` in order, and what it was ordered by.
    [[nodiscard]] std::uint32_t list(std::size_t at) const noexcept { return lists_[at].slot(); }
    [[nodiscard]] float distance(std::size_t at) const noexcept { return lists_[at].distance(); }

    /// ‖q − c‖² as far as floats know it.
    struct Square {
        float value;
        float rounding;  // how far off that may be at most
    };

    [[nodiscard]] Square square(std::size_t at) const noexcept {
        const float centroid = 2 * centroids_.half_norm(list(at));
        const float rounding = (centroid + square_) * 0x1p-20F;
        if constexpr (product) return {centroid + 2 * distance(at) + square_, rounding};
        return {graph_ != nullptr ? distance(at) : distance(at) + square_, rounding};
    }

    /// Calls act(run) for the vectors of the list that is `at` in order, a few blocks at once, until it gives false.
    template <class Act>
    void each_run(const IvfBlocks& blocks, std::size_t at, const Act& act) const {
        std::size_t left = blocks.count(list(at));
        if (left == 0) return;
        std::uint32_t block = blocks.head(list(at));
        while (left > 0) {
            const IvfBlocks::Run run = blocks.run(block, left, blocks_at_once);
            if (!act(run)) return;
            left -= run.count;
        }
    }

private:
    void compare_lists() noexcept {
        centroids_.products(query_, products_);
        for (std::size_t list = 0; list < centroids_.size(); ++list) {
            lists_[list] = Candidate(list_distance(list), static_cast<Slot>(list));
        }
    }

    std::size_t ask_graph(std::size_t count) {
        search_.coarse.resize(count);
        const std::size_t found = graph_->nearest(query_, count, search_, search_.coarse.data());
        for (std::size_t at = 0; at < found; ++at) {
            lists_[at] = Candidate(search_.coarse[at].distance, search_.coarse[at].slot);
        }
        return found;
    }

    /// Brings at least the `count` nearest lists to the front, and not many more; returns how many. A part of them is
    /// sorted to guess how near is near, which takes half the time of a selection among all.
    std::size_t near_lists(std::size_t count) noexcept {
        constexpr std::size_t step = 8;
        std::array<Candidate, 256> part;
        const std::size_t among = centroids_.size();
        const std::size_t stride = std::max(step, (among + part.size() - 1) / part.size());
        std::size_t size = 0;
        for (std::size_t list = 0; list < among; list += stride) part[size++] = lists_[list];
        const std::size_t at = std::min(size - 1, count / stride + count / stride / 4 + 4);
        const auto guess = part.begin() + static_cast<std::ptrdiff_t>(at);
        std::nth_element(part.begin(), guess, part.begin() + static_cast<std::ptrdiff_t>(size));
        const Candidate bound = *guess;
        const auto near = static_cast<std::size_t>(
            std::partition(lists_, lists_ + among, [bound](Candidate list) { return list < bound; }) - lists_);
        return near >= count ? near : among;
    }

    [[nodiscard]] float list_distance(std::size_t list) const noexcept {
        return product ? -products_[list] : 2 * (centroids_.half_norm(list) - products_[list]);
    }

    const Centroids& centroids_;
    const CentroidGraph<product>* graph_;  // null where all centroids are compared
    SearchScratch& search_;                // what the graph works in
    float* query_ = nullptr;               // as prepare_row writes vectors
    float* products_ = nullptr;            // with every centroid
    Candidate* lists_ = nullptr;  // every list with its distance; the first ones that were asked for are sorted
    float square_ = 0;            // ‖query‖²
};

/// One search: reads the lists that are nearest, until `nprobe` were read and there are as many vectors as are wanted,
/// or no more lists. With a graph, it may end with fewer. Throws: std::bad_alloc while the scratch grows.
template <class Codes, class R>
std::size_t search_lists(const IvfModel<Codes>& model, const IvfBlocks& blocks,
                         const CentroidGraph<is_product_rows<R>>* graph, std::size_t nprobe,
                         const IvfQuestion<R>& asked, Neighbor* out) {
    TopK best(std::span(out, asked.limit));
    IvfQuery<R> lists(model.centroids, graph, asked.query, asked.scratch);
    std::size_t read = 0, sorted = lists.sort_lists(0, nprobe);
    typename Codes::template Scan<R> scan(model.codes, lists, asked, best);
    while (read < sorted) {
        for (; read < sorted; ++read) scan.read(blocks, read);
        if (scan.found() < asked.limit) sorted = lists.sort_lists(sorted, 2 * sorted);
    }
    scan.finish(blocks);
    return best.sorted().size();
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

class IvfNoCodes {
public:
    static constexpr bool coded = false;
    static constexpr std::string_view content = "";  // on disk

    /// Writes nothing.
    struct Encoder {
        Encoder(const IvfNoCodes&, const Centroids&, IvfForm) noexcept {}
    };

    template <class R>
    class Scan;

    static void check(const IvfParams&, std::size_t) noexcept {}
    [[nodiscard]] static IvfNoCodes train(const IvfLesson&) noexcept { return {}; }

    [[nodiscard]] static std::size_t pieces_for(const IvfParams&, std::size_t) noexcept { return 0; }
    [[nodiscard]] static bool possible(const IvfHeader& header) noexcept { return header.subvectors == 0; }
    [[nodiscard]] static IvfParts parts(const IvfHeader&) noexcept { return {}; }
    [[nodiscard]] static IvfNoCodes load(const IvfHeader&, const std::vector<float>&,
                                         const std::vector<float>&) noexcept {
        return {};
    }
    void describe(IvfHeader&) const noexcept {}
    [[nodiscard]] const std::vector<float>& mean() const noexcept { return nothing_; }
    [[nodiscard]] const std::vector<float>& words() const noexcept { return nothing_; }
    [[nodiscard]] std::size_t record_bytes() const noexcept { return 0; }

private:
    std::vector<float> nothing_;
};

static_assert(IvfCodes<IvfNoCodes>);

template <class R>
class IvfNoCodes::Scan {
public:
    Scan(const IvfNoCodes&, const IvfQuery<R>& lists, const IvfQuestion<R>& asked, TopK& best)
        : lists_(lists), asked_(asked), best_(best), scorer_(asked.scorer()), block_(scorer_, best) {}

    void read(const IvfBlocks& blocks, std::size_t at) noexcept {
        lists_.each_run(blocks, at, [&](IvfBlocks::Run run) {
            const Held held = blocks.hold_slots(run);
            const Slot* const slots = blocks.slots(run.first);
            for (std::size_t i = 0; i < run.count; ++i) {
                if (asked_.allowed.allows(slots[i])) block_.add(slots[i]);
            }
            return true;
        });
    }

    [[nodiscard]] std::size_t found() noexcept {
        block_.flush();
        return best_.size();
    }

    void finish(const IvfBlocks&) noexcept { block_.flush(); }

private:
    using S = IvfScorer<R>;

    const IvfQuery<R>& lists_;
    const IvfQuestion<R>& asked_;
    TopK& best_;
    S scorer_;
    ScanBlock<S> block_;
};

}  // namespace kith::inline v0_single::detail

// kith/index/ivf/pq_codes.hpp — lists of residuals in product codes, 4 bits a piece, added up in registers.
//
// A vector x in the list of centroid c is coded by its residual r = x − c, as words r̂. Its distance from a query q is
//
//   ‖q − x‖² ≈ ‖q − c‖² − 2⟨q − μ, r̂⟩ + s     s = 2⟨c − μ, r̂⟩ + ‖r̂‖² + ‖r − r̂‖²
//
// where μ is the mean of all. The products with r̂ come from tables that do not depend on the list, so they are made
// once a query. s belongs to the vector and is stored beside its code, in 15 bits. What the estimate leaves out is
// 2⟨q − x̂, r − r̂⟩, so it is best where it matters, near the query. Cosine is L2 of vectors of length one. For
// InnerProduct, −⟨q, x⟩ ≈ −⟨q, c⟩ − ⟨q, r̂⟩, and s is 0.
//
// Thread safety: codes are immutable once trained; an encoder belongs to one thread.
// Source: Jégou, Douze & Schmid, IEEE TPAMI 33(1), 2011, section IV (residuals); the split is ours.

// kith/quantize/codebooks.hpp — product quantization: a vector cut into pieces, each named by the nearest word.
//
// With 16 or 256 words a piece, a code is a few bits a piece, and the product with any query is one look-up a piece in
// tables made once a query. A dimension that pieces do not divide is filled up with zeros, which every word has too.
//
// Thread safety: immutable; any number of threads may ask.
// Source: Jégou, Douze & Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33(1), 2011.

namespace kith::inline v0_single {

class Codebooks {
public:
    Codebooks() noexcept = default;

    /// Shape: `values` holds the words, [piece][word][element], sub_dim elements each; words is 16 or 256.
    Codebooks(std::vector<float> values, std::size_t subvectors, std::size_t words, Isa isa = best_isa())
        : subvectors_(subvectors),
          words_(words),
          sub_dim_(values.size() / subvectors / words),
          products_(product_kernels(isa)),
          values_(std::move(values)),
          columns_(values_.size()),
          half_norms_(subvectors * words) {
        for (std::size_t word = 0; word < subvectors_ * words_; ++word) {
            double square = 0;
            for (std::size_t d = 0; d < sub_dim_; ++d) {
                const float element = values_[word * sub_dim_ + d];
                columns_[(word / words_ * sub_dim_ + d) * words_ + word % words_] = element;
                square += static_cast<double>(element) * static_cast<double>(element);
            }
            half_norms_[word] = static_cast<float>(square / 2);
        }
    }

    static constexpr KMeansParams many_steps{.iterations = 12, .rows_a_centroid = 256, .least_gain = 2e-3};

    /// Words for each piece of the rows of `sample`, which is as wide as all pieces together. `effort` says how k-means
    /// goes about it, but for the number of centroids.
    /// Throws: as train_kmeans, for fewer rows than words.
    [[nodiscard]] static Codebooks train(MatrixView sample, std::size_t subvectors, std::size_t words,
                                         const Training& training, KMeansParams effort = many_steps) {
        const std::size_t sub_dim = sample.dim / subvectors;
        effort.centroids = words;
        std::vector<float> values(sample.dim * words);
        share_work(training.threads, subvectors, [&](std::size_t piece, unsigned thread) {
            if (thread == 0) training.report(static_cast<double>(piece) / static_cast<double>(subvectors));
            const MatrixView part{sample.data + piece * sub_dim, sample.rows, sub_dim, sample.stride};
            const KMeans made =
                train_kmeans(part, effort, {.seed = mix64(training.seed + piece), .threads = 1, .progress = {}});
            std::copy(made.values.begin(), made.values.end(),
                      values.begin() + static_cast<std::ptrdiff_t>(piece * words * sub_dim));
        });
        training.report(1);
        // Differences of numbers near the largest are infinite; words stay finite.
        for (float& value : values) value = std::isfinite(value) ? value : 0.0F;
        return Codebooks(std::move(values), subvectors, words);
    }

    [[nodiscard]] std::size_t dim() const noexcept { return subvectors_ * sub_dim_; }
    [[nodiscard]] std::size_t subvectors() const noexcept { return subvectors_; }
    [[nodiscard]] std::size_t sub_dim() const noexcept { return sub_dim_; }
    [[nodiscard]] std::size_t words() const noexcept { return words_; }
    [[nodiscard]] const std::vector<float>& values() const noexcept { return values_; }
    [[nodiscard]] const float* word(std::size_t piece, std::size_t number) const noexcept {
        return values_.data() + (piece * words_ + number) * sub_dim_;
    }

    /// The number of the nearest word of each piece. Shape: `vector` holds dim() elements, `out` subvectors() numbers.
    void encode(const float* vector, std::uint8_t* out) const noexcept {
        products_.nearest_words(vector, columns_.data(), half_norms_.data(), subvectors_, sub_dim_, words_, out);
    }

    /// The words one after the other. Shape: `out` has room for dim() elements.
    void decode(const std::uint8_t* numbers, float* out) const noexcept {
        for (std::size_t piece = 0; piece < subvectors_; ++piece) {
            out = std::copy_n(word(piece, numbers[piece]), sub_dim_, out);
        }
    }

    /// Products of each piece of `vector` with its words. Shape: `out` has room for subvectors() rows of words().
    void products(const float* vector, float* out) const noexcept {
        products_.words(vector, columns_.data(), subvectors_, sub_dim_, words_, out);
    }

private:
    std::size_t subvectors_ = 0;
    std::size_t words_ = 0;
    std::size_t sub_dim_ = 0;
    ProductKernels products_;
    std::vector<float> values_;      // [piece][word][element]
    std::vector<float> columns_;     // [piece][element][word], as the kernels read them
    std::vector<float> half_norms_;  // [piece][word]
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

/// The numbers beside each code of a block, before they are rounded.
struct IvfOffsets {
    static constexpr unsigned most = 32767;  // on disk; half of what a total may be

    float low = 0;
    float step = 0;  // 0: all offsets are 0

    [[nodiscard]] std::uint16_t round(float offset) const noexcept {
        if (!(step > 0)) return 0;
        const float steps = (offset - low) / step;
        if (!(steps > 0)) return 0;
        return static_cast<std::uint16_t>(std::min(steps + 0.5F, static_cast<float>(most)));
    }
};

class IvfPqCodes {
public:
    static constexpr bool coded = true;
    static constexpr float rescore = 20;
    static constexpr std::string_view content = "";  // on disk: what says that there are sub-vectors says it all

    class Encoder;
    template <class R>
    class Scan;

    /// Throws: Errc::invalid_argument.
    static void check(const IvfParams& params, std::size_t dim) {
        if (params.subvectors == 0 || dim % params.subvectors == 0) return;
        raise(Errc::invalid_argument, "Ivf: " + std::to_string(params.subvectors) +
                                          " sub-vectors do not divide the dimension " + std::to_string(dim));
    }

    /// Throws: Errc::cancelled; what progress throws.
    [[nodiscard]] static IvfPqCodes train(const IvfLesson& lesson);

    /// Pieces of a code when the parameters leave them open. Two dimensions a piece keep enough of the order among near
    /// vectors; of longer vectors four do, and half the bytes are read.
    [[nodiscard]] static std::size_t pieces_for(const IvfParams& params, std::size_t dim) noexcept {
        if (params.subvectors != 0) return params.subvectors;
        const std::size_t sub_dim = dim >= 512 ? 4 : 2;
        return std::min<std::size_t>((dim + sub_dim - 1) / sub_dim, IvfParams::most_subvectors);
    }
    [[nodiscard]] static bool possible(const IvfHeader& header) noexcept {
        return header.subvectors > 0 && header.offset_step >= 0 && std::isfinite(header.offset_low) &&
               std::isfinite(header.offset_step);
    }
    [[nodiscard]] static IvfParts parts(const IvfHeader& header) noexcept {
        const std::uint64_t sub_dim = (header.dim + header.subvectors - std::uint64_t{1}) / header.subvectors;
        return {header.dim, sub_dim * header.subvectors * FastScanLayout::words,
                record_bytes_for(FastScanLayout::pairs(header.subvectors))};
    }
    [[nodiscard]] static IvfPqCodes load(const IvfHeader& header, std::vector<float> mean, std::vector<float> words) {
        IvfPqCodes codes;
        codes.mean_ = std::move(mean);
        codes.codebooks_ = Codebooks(std::move(words), header.subvectors, FastScanLayout::words);
        codes.offsets_ = {header.offset_low, header.offset_step};
        return codes;
    }
    void describe(IvfHeader& header) const noexcept {
        header.subvectors = static_cast<std::uint32_t>(codebooks_.subvectors());
        header.offset_low = offsets_.low;
        header.offset_step = offsets_.step;
    }

    [[nodiscard]] const std::vector<float>& mean() const noexcept { return mean_; }
    [[nodiscard]] const std::vector<float>& words() const noexcept { return codebooks_.values(); }
    [[nodiscard]] std::size_t record_bytes() const noexcept { return record_bytes_for(pairs()); }

    [[nodiscard]] const Codebooks& codebooks() const noexcept { return codebooks_; }
    [[nodiscard]] const IvfOffsets& offsets() const noexcept { return offsets_; }
    [[nodiscard]] const FastScanKernels& kernels() const noexcept { return kernels_; }
    [[nodiscard]] std::size_t pairs() const noexcept { return FastScanLayout::pairs(codebooks_.subvectors()); }

private:
    /// Bytes of a block of codes, up to whole cache lines.
    [[nodiscard]] static std::size_t record_bytes_for(std::size_t pairs) noexcept {
        return (FastScanLayout::block_bytes(pairs) + 63) / 64 * 64;
    }

    std::vector<float> mean_;  // μ
    Codebooks codebooks_;      // of residuals
    IvfOffsets offsets_;
    FastScanKernels kernels_ = fast_scan_kernels(best_isa());
};

static_assert(IvfCodes<IvfPqCodes>);

/// A vector on its way into a block. Memory for one at a time.
class IvfPqCodes::Encoder {
public:
    Encoder(const IvfPqCodes& codes, const Centroids& centroids, IvfForm form)
        : codes_(codes),
          centroids_(centroids),
          product_(form.product),
          vector_(std::max(codes.codebooks().dim(), centroids.dim())),
          residual_(vector_.size()),
          decoded_(vector_.size()),
          numbers_(2 * codes.pairs()) {}

    /// Where the caller puts the next vector: as many elements as centroids have.
    [[nodiscard]] float* vector() noexcept { return vector_.data(); }

    /// Codes the vector as one of `list`; returns s.
    float encode(std::size_t list) noexcept {
        const std::size_t dim = centroids_.dim();
        const float* const centroid = centroids_.row(list);
        for (std::size_t d = 0; d < dim; ++d) residual_[d] = vector_[d] - centroid[d];
        codes_.codebooks().encode(residual_.data(), numbers_.data());
        if (product_) return 0;
        codes_.codebooks().decode(numbers_.data(), decoded_.data());
        constexpr std::size_t lanes = 8;  // sums side by side, which the compiler may keep in registers
        float sums[lanes] = {};
        for (std::size_t d = 0; d < dim; ++d) {
            const float word = decoded_[d], left = residual_[d] - word;
            sums[d % lanes] += word * (2 * (centroid[d] - codes_.mean()[d]) + word) + left * left;
        }
        return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
    }

    /// Codes the vector as one of `list` and writes it as vector `at` of a block.
    void put(std::size_t list, std::byte* record, std::size_t at) noexcept {
        const std::uint16_t steps = codes_.offsets().round(encode(list));
        const std::size_t pairs = codes_.pairs();
        for (std::size_t pair = 0; pair < pairs; ++pair) {
            record[pair * FastScanLayout::vectors + at] =
                static_cast<std::byte>(numbers_[2 * pair] | numbers_[2 * pair + 1] << 4);
        }
        std::byte* const to = record + FastScanLayout::code_bytes(pairs) + 2 * at;
        to[0] = static_cast<std::byte>(steps & 0xff);
        to[1] = static_cast<std::byte>(steps >> 8);
    }

private:
    const IvfPqCodes& codes_;
    const Centroids& centroids_;
    bool product_;
    std::vector<float> vector_;
    std::vector<float> residual_;  // zero past the dimension
    std::vector<float> decoded_;
    std::vector<std::uint8_t> numbers_;  // zero past the pieces
};

inline IvfPqCodes IvfPqCodes::train(const IvfLesson& lesson) {
    constexpr std::size_t most_coded = 8192;
    const MatrixView sample = lesson.sample;
    const std::size_t dim = sample.dim;
    const std::size_t stride = std::max<std::size_t>(1, sample.rows / most_coded);
    IvfPqCodes codes;
    codes.mean_ = mean_of_sample(sample);

    const std::size_t subvectors = pieces_for(lesson.params, dim);
    const std::size_t padded = (dim + subvectors - 1) / subvectors * subvectors;
    const std::size_t rows = (sample.rows + stride - 1) / stride;
    const MatrixView chosen{sample.data, rows, dim, dim * stride};
    std::vector<float> residuals(rows * padded);
    std::vector<std::uint32_t> nearest(rows);
    ScratchMemory scratch;
    lesson.centroids.nearest(chosen, nearest.data(), nullptr, scratch);
    for (std::size_t i = 0; i < rows; ++i) {
        const float* const centroid = lesson.centroids.row(nearest[i]);
        for (std::size_t d = 0; d < dim; ++d) residuals[i * padded + d] = chosen.row(i)[d] - centroid[d];
    }
    codes.codebooks_ =
        Codebooks::train({residuals.data(), rows, padded, padded}, subvectors, FastScanLayout::words, lesson.training);

    Encoder encoder(codes, lesson.centroids, lesson.form);
    float low = 0, high = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        std::copy_n(chosen.row(i), dim, encoder.vector());
        const float offset = encoder.encode(nearest[i]);
        low = i == 0 ? offset : std::min(low, offset);
        high = i == 0 ? offset : std::max(high, offset);
    }
    // Room for what the sample did not show.
    const float room = (high - low) / 8;
    const float step = (high - low + 2 * room) / static_cast<float>(IvfOffsets::most);
    if (std::isfinite(step) && std::isfinite(low - room)) codes.offsets_ = {low - room, step};
    return codes;
}

}  // namespace kith::inline v0_single::detail

// kith/index/ivf/pq_scan.hpp — one search of product codes: the best estimates of all lists, compared by their vectors.
//
// Estimates of all lists are brought to one scale of whole numbers, the unit of the rounded tables: a list begins at a
// base, and a vector adds its total. So the threshold that the first lists set rules out most of the others' vectors
// inside the registers, and a list whose base is past it is not read. The best are compared again by their own vectors,
// nearest estimate first.
//
// Thread safety: a scan belongs to one search.

namespace kith::inline v0_single::detail {

template <class R>
class IvfPqCodes::Scan {
public:
    Scan(const IvfPqCodes& codes, const IvfQuery<R>& lists, const IvfQuestion<R>& asked, TopK& best)
        : codes_(codes), lists_(lists), asked_(asked), best_(best), candidates_(asked.scratch.candidates) {
        const std::size_t pieces = codes.codebooks().subvectors();
        const auto arrays =
            carve<6>(asked.scratch.lists.nested(),
                     {codes.codebooks().dim() * sizeof(float), pieces * FastScanLayout::words * sizeof(float),
                      pieces * sizeof(float), FastScanLayout::table_bytes(codes.pairs()),
                      IvfQuery<R>::vectors_at_once * sizeof(std::uint32_t),
                      IvfQuery<R>::vectors_at_once * sizeof(std::uint16_t)});
        query_ = reinterpret_cast<float*>(arrays[0]);
        tables_ = reinterpret_cast<float*>(arrays[1]);
        lows_ = reinterpret_cast<float*>(arrays[2]);
        rounded_ = reinterpret_cast<std::uint8_t*>(arrays[3]);
        positions_ = reinterpret_cast<std::uint32_t*>(arrays[4]);
        totals_ = reinterpret_cast<std::uint16_t*>(arrays[5]);
        const std::uint32_t reach = make_tables(pieces);
        const float factor = asked.params.rescore > 0 ? asked.params.rescore : rescore;
        const auto wanted = static_cast<std::size_t>(static_cast<float>(asked.limit) * factor);
        candidates_.reset(std::max(asked.limit, wanted), reach);
    }

    /// Offers the places of a list's vectors. Throws: std::bad_alloc while the candidates grow.
    void read(const IvfBlocks& blocks, std::size_t at) {
        const std::uint32_t base = this->base(at);
        const FastScanQuery query{rounded_, codes_.pairs(), shift_};
        const bool all = asked_.all();
        lists_.each_run(blocks, at, [&](IvfBlocks::Run run) {
            if (candidates_.threshold() < base) return false;
            const std::uint32_t limit = std::min<std::uint32_t>(candidates_.threshold() - base, 65535);
            std::size_t found = scan_run(query, blocks, run, static_cast<std::uint16_t>(limit));
            if (!all) found = keep_allowed(blocks, run, found);
            const std::uint32_t first = run.first * static_cast<std::uint32_t>(IvfBlocks::vectors);
            for (std::size_t i = 0; i < found; ++i) candidates_.add(base + totals_[i], first + positions_[i]);
            return true;
        });
    }

    [[nodiscard]] std::size_t found() const noexcept { return candidates_.size(); }

    /// Compares the candidates by their vectors, nearest estimate first.
    void finish(const IvfBlocks& blocks) {
        auto* const ordered = asked_.scratch.lists.template take_array<IvfCandidate>(candidates_.size());
        const std::size_t count = candidates_.ordered(ordered);
        const IvfScorer<R> scorer = asked_.scorer();
        ScanBlock<IvfScorer<R>> block(scorer, best_);
        if (blocks.residency() == nullptr) {
            add_slots(blocks, ordered, count, block);
        } else {
            constexpr std::size_t at_once = Residency::most_pieces;
            for (std::size_t at = 0; at < count; at += at_once) {
                const std::size_t now = std::min(at_once, count - at);
                std::array<Residency::Piece, at_once> pieces;
                for (std::size_t i = 0; i < now; ++i) pieces[i] = {blocks.slot_at(ordered[at + i].place), sizeof(Slot)};
                const Held held(*blocks.residency(), std::span(pieces).first(now), Residency::Use::at_random);
                add_slots(blocks, ordered + at, now, block);
            }
        }
        block.flush();
    }

private:
    std::size_t scan_run(const FastScanQuery& query, const IvfBlocks& blocks, IvfBlocks::Run run,
                         std::uint16_t limit) const noexcept {
        const Held held = blocks.hold_records(run);
        return codes_.kernels().scan(query, blocks.record(run.first), run.count, limit, positions_, totals_);
    }

    /// Drops those of a run that may not be returned from the first `found` positions and totals; returns how many stay.
    std::size_t keep_allowed(const IvfBlocks& blocks, IvfBlocks::Run run, std::size_t found) const noexcept {
        const Held held = blocks.hold_slots(run);
        const Slot* const slots = blocks.slots(run.first);
        std::size_t kept = 0;
        for (std::size_t i = 0; i < found; ++i) {
            if (!asked_.allowed.allows(slots[positions_[i]])) continue;
            positions_[kept] = positions_[i];
            totals_[kept++] = totals_[i];
        }
        return kept;
    }

    /// Adds the slots of candidates, those that may be returned.
    void add_slots(const IvfBlocks& blocks, const IvfCandidate* ordered, std::size_t count,
                   ScanBlock<IvfScorer<R>>& block) const noexcept {
        constexpr std::size_t ahead = 16;
        for (std::size_t i = 0; i < count; ++i) {
            if (i + ahead < count) __builtin_prefetch(blocks.slot_at(ordered[i + ahead].place));
            const Slot slot = *blocks.slot_at(ordered[i].place);
            if (asked_.allowed.allows(slot)) block.add(slot);
        }
    }

    static constexpr bool product = is_product_rows<R>;

    /// Makes the tables and the unit in which estimates are counted; returns below what most totals lie.
    std::uint32_t make_tables(std::size_t pieces) noexcept {
        const std::size_t dim = asked_.rows.dim();
        constexpr float factor = product ? -1.0F : -2.0F;
        const float* const vector = lists_.vector();
        for (std::size_t d = 0; d < dim; ++d) {
            query_[d] = factor * (product ? vector[d] : vector[d] - codes_.mean()[d]);
        }
        for (std::size_t d = dim; d < codes_.codebooks().dim(); ++d) query_[d] = 0;
        codes_.codebooks().products(query_, tables_);
        float widest = 0, sum = 0;
        codes_.kernels().ranges(tables_, pieces, lows_, &widest, &sum);
        // Totals stay below 65536: half of that for what comes from the tables, with what rounding adds, half for the
        // offsets.
        const float room = static_cast<float>(IvfOffsets::most) - static_cast<float>(pieces);
        float unit = std::max(widest / static_cast<float>(FastScanLayout::most), sum / room);
        const float step = codes_.offsets().step;
        if (step > 0) {
            // Offsets are only shifted, so the unit is theirs times a power of two.
            float offset_unit = step;
            for (; offset_unit < unit && shift_ < 15; ++shift_) offset_unit *= 2;
            unit = std::max(offset_unit, unit);
        }
        std::uint32_t reach = IvfOffsets::most >> shift_;
        if (unit > 0 && std::isfinite(unit) && std::isfinite(1 / unit)) {
            unit_ = unit;
            codes_.kernels().round(tables_, pieces, lows_, 1 / unit, rounded_);
            reach += static_cast<std::uint32_t>(sum / unit);
        } else {  // elements near the largest float, or all zero: no table tells one word from another
            std::memset(rounded_, 0, FastScanLayout::table_bytes(codes_.pairs()));
        }
        return reach;
    }

    /// Where estimates of the list that is number `at` in order begin.
    [[nodiscard]] std::uint32_t base(std::size_t at) const noexcept {
        constexpr float largest = 1e9F;
        const float steps = (lists_.distance(at) - lists_.distance(0)) / unit_;
        return steps > 0 ? static_cast<std::uint32_t>(std::min(steps, largest)) : 0;
    }

    const IvfPqCodes& codes_;
    const IvfQuery<R>& lists_;
    const IvfQuestion<R>& asked_;
    TopK& best_;
    IvfCandidates& candidates_;
    float* query_;           // less the mean unless it is a product, times a factor; zeros up to whole pieces
    float* tables_;          // 16 a piece
    float* lows_;            // one a piece
    std::uint8_t* rounded_;  // the tables of the scan
    std::uint32_t* positions_;
    std::uint16_t* totals_;
    float unit_ = 1;      // of estimates, on the scale of the distance
    unsigned shift_ = 0;  // of the offsets
};

}  // namespace kith::inline v0_single::detail

// kith/index/ivf/rabitq_codes.hpp — lists of residuals in one bit an element, with an unbiased distance and its bound.
//
// A vector x in the list of centroid c is coded by the signs v of its residual r = x − c, rotated at random by P. With
// the scale f = ‖r‖² / ⟨Pr, v⟩, the product of r with any vector y is f · ⟨Py, v⟩ and an error that is 0 on average and
// rarely beyond ε₀ · e · ‖y‖, where e² = (f² ‖v‖² − ‖r‖²) / (width − 1). So the distance from a query q is
//
//   ‖q − x‖² = ‖q − c‖² + ‖r‖² − 2⟨q − c, r⟩ ≈ ‖q − c‖² + s − 2f · ⟨P(q − μ), v⟩     s = ‖r‖² + 2f · ⟨P(c − μ), v⟩
//
// where μ is the mean of all, and is rarely less than that by more than 2 ε₀ · e · ‖q − c‖. The products with v come
// from tables that do not depend on the list, so a query is rotated once; s, 2f and 2e are stored beside the code.
// Cosine is half of L2 of vectors of length one. For InnerProduct −⟨q, x⟩ = −⟨q, c⟩ − ⟨c, r⟩ − ⟨q − c, r⟩, so
// s = −⟨c, r⟩ + f · ⟨P(c − μ), v⟩, and the rest is the same without the factor 2.
//
// A piece of a code is 4 elements, and its 16 words are the corners ±1: so a block is scanned as product codes are.
//
// Thread safety: codes are immutable; an encoder belongs to one thread.
// Source: Gao & Long, "RaBitQ", arXiv:2405.12497, sections 3.2, 3.3 and 4; the split, which is theirs but for μ, spares
// a rotation and new tables for each list.

// kith/quantize/packed_scorer.hpp — a prepared query against packed codes, whatever their distances are made of.
//
// The kernels give whole numbers; a Formula turns one of them and the head of its code into a distance. Whole numbers
// are the same on every instruction set, so a code's distance is, too.
//
// Thread safety: as a Scorer, it belongs to one thread.

namespace kith::inline v0_single {

namespace detail {

/// A float or a number of 32 bits from the head of a code, little-endian as the bytes are stored.
inline std::uint32_t load_u32(const std::byte* from) noexcept {
    std::uint32_t value = 0;
    for (unsigned byte = 0; byte < 4; ++byte) value |= std::to_integer<std::uint32_t>(from[byte]) << (8 * byte);
    return value;
}

inline float load_f32(const std::byte* from) noexcept {
    return std::bit_cast<float>(load_u32(from));
}

inline void store_u32(std::byte* to, std::uint32_t value) noexcept {
    for (unsigned byte = 0; byte < 4; ++byte) to[byte] = static_cast<std::byte>(value >> (8 * byte));
}

inline void store_f32(std::byte* to, float value) noexcept {
    store_u32(to, std::bit_cast<std::uint32_t>(value));
}

/// Codes in a row, and the kernels for them.
struct PackedRows {
    PackedDots dots;
    PackedShape shape;
    const std::byte* codes = nullptr;

    [[nodiscard]] const std::byte* code(Slot slot) const noexcept { return codes + slot * shape.stride; }
    [[nodiscard]] const std::byte* fields(Slot slot) const noexcept { return code(slot) + shape.head; }
};

/// A query against packed codes.
/// Requires: Formula has `float distance(const std::byte* head, std::int32_t dot) const noexcept`.
template <class Formula>
class PackedScorer {
public:
    /// `query` is prepared as distance/packed_dots.hpp says and outlives the scorer.
    PackedScorer(const PackedRows& rows, const std::int8_t* query, const Formula& formula) noexcept
        : rows_(rows), query_(query), formula_(formula) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        std::array<std::int32_t, block> dots;
        for (std::size_t begin = 0; begin < count; begin += block) {
            const std::size_t now = std::min(block, count - begin);
            rows_.dots.slots(query_, rows_.codes, rows_.shape, slots + begin, now, dots.data());
            for (std::size_t i = 0; i < now; ++i) {
                out[begin + i] = formula_.distance(rows_.code(slots[begin + i]), dots[i]);
            }
        }
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        std::array<std::int32_t, block> dots;
        for (std::size_t begin = 0; begin < count; begin += block) {
            const std::size_t now = std::min(block, count - begin);
            const std::byte* code = rows_.code(first) + begin * rows_.shape.stride;
            rows_.dots.block(query_, code, rows_.shape, now, dots.data());
            for (std::size_t i = 0; i < now; ++i, code += rows_.shape.stride) {
                out[begin + i] = formula_.distance(code, dots[i]);
            }
        }
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        prefetch_row(rows_.code(slot), rows_.shape.stride);
    }
    [[gnu::always_inline]] void prefetch_scan(Slot first, std::size_t count) const noexcept {
        detail::prefetch_scan(rows_.code(first), count * rows_.shape.stride);
    }

    [[nodiscard]] const Formula& formula() const noexcept { return formula_; }
    [[nodiscard]] const PackedRows& rows() const noexcept { return rows_; }

private:
    static constexpr std::size_t block = 64;

    PackedRows rows_;
    const std::int8_t* query_;
    Formula formula_;
};

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/quantize/rabitq.hpp — 1 to 8 bits an element of a rotated vector, with an unbiased distance and its error bound.
//
// After a random rotation every direction is alike, so a grid of 2^bits steps an element fits all vectors, and the
// error of an inner product is that of a random direction: small, as often up as down, and of a known size. A search
// may leave out a vector whose lower bound lies beyond the worst it keeps.
//
// Thread safety: a trained codec is only read; a scorer belongs to one thread.
// Source: Gao & Long, "RaBitQ", arXiv:2405.12497, sections 3.1 to 3.3; Gao et al., "Practical and asymptotically
// optimal quantization of high-dimensional vectors", arXiv:2409.09913 (more bits). Here the query is always of 8 bits.

// kith/quantize/packed_code.hpp — elements of a few bits into the fields of a code, and a query into what meets them.
//
// The layout is that of distance/packed_dots.hpp. Encoding is not a loop of any search, so plain C++ does it.

namespace kith::inline v0_single {

namespace detail {

/// Bytes from one code to the next. Long codes begin on a cache line; short ones do not where that would cost more
/// memory than it saves time. On disk: never change.
[[nodiscard]] constexpr std::size_t packed_stride(std::size_t head, unsigned bits, std::size_t dim) noexcept {
    constexpr std::size_t long_code = 256;
    const std::size_t bytes = head + packed_bytes(bits, dim);
    const std::size_t unit = bytes >= long_code ? 64 : 4;
    return (bytes + unit - 1) / unit * unit;
}

/// Packs `dim` elements below 2^bits, and zeros up to `end`. Requires: packed_bytes(bits, dim) fit.
inline void pack(unsigned bits, const std::uint8_t* elements, std::size_t dim, std::byte* fields,
                 std::byte* end) noexcept {
    std::memset(fields, 0, static_cast<std::size_t>(end - fields));
    for (unsigned field = 8; field > 0; field /= 2) {
        if ((bits & field) == 0) continue;
        const std::size_t part = part_bytes(field, dim);
        const unsigned below = bits & (field - 1);  // bits of an element that narrower fields hold
        const unsigned mask = (1U << field) - 1;
        unsigned shift = 0;
        for (std::size_t first = 0; first < dim; first += part, shift += field) {
            const std::size_t count = std::min(part, dim - first);
            for (std::size_t i = 0; i < count; ++i) {
                fields[i] |= static_cast<std::byte>((unsigned{elements[first + i]} >> below & mask) << shift);
            }
        }
        fields += part;
    }
}

/// The elements of a code again.
inline void unpack(unsigned bits, const std::byte* fields, std::size_t dim, std::uint8_t* elements) noexcept {
    std::memset(elements, 0, dim);
    for (unsigned field = 8; field > 0; field /= 2) {
        if ((bits & field) == 0) continue;
        const std::size_t part = part_bytes(field, dim);
        const unsigned below = bits & (field - 1);
        const unsigned mask = (1U << field) - 1;
        unsigned shift = 0;
        for (std::size_t first = 0; first < dim; first += part, shift += field) {
            const std::size_t count = std::min(part, dim - first);
            for (std::size_t i = 0; i < count; ++i) {
                const unsigned bits_here = std::to_integer<unsigned>(fields[i]) >> shift & mask;
                elements[first + i] = static_cast<std::uint8_t>(elements[first + i] | bits_here << below);
            }
        }
        fields += part;
    }
}

/// Lays `dim` factors out as the kernels read them. Shape: `query` has room for packed_query_bytes(bits, dim).
inline void prepare_factors(unsigned bits, const std::int8_t* factors, std::size_t dim, std::int8_t* query) noexcept {
    std::memset(query, 0, packed_query_bytes(bits, dim));
    for (unsigned field = 8; field > 0; field /= 2) {
        if ((bits & field) == 0) continue;
        const std::size_t part = part_bytes(field, dim);
        const std::size_t stride = query_part_bytes(field, dim);
        for (std::size_t at = 0; at * part < dim; ++at) {
            std::memcpy(query + at * stride, factors + at * part, std::min(part, dim - at * part));
        }
        query += 8 / field * stride;
    }
}

/// A vector as bytes: element i is about step · factors[i].
struct ByteVector {
    float step = 0;
    std::int32_t sum = 0;  // of the factors
};

/// Rounds `values` to multiples of a step of which the largest value is 127.
inline ByteVector to_bytes(const float* values, std::size_t dim, std::int8_t* factors) noexcept {
    constexpr float largest_factor = 127;
    float largest = 0;
    for (std::size_t i = 0; i < dim; ++i) largest = std::max(largest, std::abs(values[i]));
    ByteVector made{largest / largest_factor, 0};
    const float inverse = made.step > 0 ? 1.0F / made.step : 0.0F;
    if (!(inverse <= 1e30F) || made.step == 0) {  // too small for a step; all is as good as zero
        std::memset(factors, 0, dim);
        return {};
    }
    for (std::size_t i = 0; i < dim; ++i) {
        const float scaled = std::clamp(values[i] * inverse, -largest_factor, largest_factor);
        factors[i] = static_cast<std::int8_t>(scaled + (scaled < 0 ? -0.5F : 0.5F));
        made.sum += factors[i];
    }
    return made;
}

/// Memory in which a query against packed codes is prepared.
struct PackedQuery {
    /// `spare` is how many floats the caller wants besides. Throws: std::bad_alloc while `scratch` grows.
    PackedQuery(unsigned bits_of, std::size_t dim_of, std::size_t spare_floats, ScratchMemory& scratch)
        : bits(bits_of), dim(dim_of) {
        const std::size_t query_bytes = packed_query_bytes(bits, dim);
        std::byte* const memory = scratch.take(query_bytes + sizeof(float) * (dim + spare_floats) + 2 * dim);
        query = reinterpret_cast<std::int8_t*>(memory);
        u = reinterpret_cast<float*>(memory + query_bytes);
        spare = u + dim;
        factors = reinterpret_cast<std::int8_t*>(spare + spare_floats);
        elements = reinterpret_cast<std::uint8_t*>(factors + dim);
    }

    /// Prepares what stands in `u`, rounded to bytes.
    [[nodiscard]] ByteVector from_floats() const noexcept {
        const ByteVector bytes = to_bytes(u, dim, factors);
        prepare_factors(bits, factors, dim, query);
        return bytes;
    }

    /// Prepares a code, whose elements stand for what `value_of` says, and returns the sum of those values.
    template <class ValueOf>
    std::int32_t from_code(const std::byte* fields, const ValueOf& value_of) const noexcept {
        unpack(bits, fields, dim, elements);
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            factors[i] = static_cast<std::int8_t>(value_of(elements[i]));
            sum += factors[i];
        }
        prepare_factors(bits, factors, dim, query);
        return sum;
    }

    unsigned bits;
    std::size_t dim;
    std::int8_t* query;      // what the kernels read
    float* u;                // dim floats for the caller to fill
    float* spare;            // as many floats as were asked for
    std::int8_t* factors;    // dim bytes that `query` was made of
    std::uint8_t* elements;  // dim elements of a code
};

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/quantize/rabitq/grid.hpp — the point of a grid whose direction is nearest to that of a vector.
//
// All that counts is the angle, so the vector may be stretched before it is rounded. Which stretch is best depends on
// the vector: some are tried, and the best is improved in steps.
//
// Source: arXiv:2409.09913, section 4 (codes of the largest cosine); the search here is not theirs.

namespace kith::inline v0_single {

namespace detail {

/// Of a vector u and a point v of the grid.
struct GridFit {
    double product = 0;  // ⟨u, v⟩
    double squares = 0;  // ‖v‖²
};

/// Points whose elements are odd numbers from 1 − 2^bits to 2^bits − 1. Those of 8 bits would not fit a byte, so there
/// they are all numbers from −127 to 127: so fine a grid can do without the better middle.
template <unsigned bits>
class RaBitQGrid {
public:
    static constexpr int unit = bits == 8 ? 1 : 2;
    static constexpr int zero = bits == 8 ? 128 : (1 << bits) - 1;

    /// What an element of a code stands for.
    [[nodiscard]] static constexpr int value(std::uint8_t element) noexcept { return unit * element - zero; }

    /// Finds the point nearest in direction to `u` and writes its elements as codes hold them.
    static GridFit fit(const float* u, std::size_t dim, std::uint8_t* elements) noexcept {
        float largest = 0;
        for (std::size_t i = 0; i < dim; ++i) largest = std::max(largest, std::abs(u[i]));
        if (!(largest > smallest)) {  // no direction
            for (std::size_t i = 0; i < dim; ++i) elements[i] = static_cast<std::uint8_t>((unit + zero) / unit);
            return {};
        }
        const float stretch = best_stretch(u, dim, largest);
        GridFit found;
        for (std::size_t i = 0; i < dim; ++i) {
            const int level = level_of(std::abs(u[i]), stretch);
            const int at = value_of(level);
            found.product += static_cast<double>(std::abs(u[i])) * at;
            found.squares += static_cast<double>(at) * at;
            elements[i] = static_cast<std::uint8_t>(level);
        }
        for (std::size_t i = 0; i < dim; ++i) {
            const int at = u[i] < 0 ? -value_of(elements[i]) : value_of(elements[i]);
            elements[i] = static_cast<std::uint8_t>((at + zero) / unit);
        }
        return found;
    }

private:
    static constexpr int top_level = bits == 8 ? 127 : (1 << (bits - 1)) - 1;
    static constexpr float smallest = 1e-30F;  // below, squares and quotients leave the range of a float

    /// What the level of an absolute value stands for.
    static constexpr int value_of(int level) noexcept { return bits == 8 ? level : 2 * level + 1; }

    static int level_of(float absolute, float stretch) noexcept {
        const float place = absolute * stretch + (bits == 8 ? 0.5F : 0.0F);
        return static_cast<int>(std::min(place, static_cast<float>(top_level)));
    }

    /// Of a stretched vector and the point it is rounded to.
    struct Trial {
        float stretch = 0;
        float cosine = 0;        // squared, up to a factor that is the same for every stretch
        float next_stretch = 0;  // where the point lies nearest
    };

    /// The stretch of the largest cosine: the best of some, from one that clips nothing on for as long as clipping may
    /// pay, and then from each point to the stretch it lies nearest to, which only gains.
    static float best_stretch(const float* u, std::size_t dim, float largest) noexcept {
        if constexpr (bits == 1) {
            return 0;  // one level is no choice
        } else {
            constexpr float first = 0.95F, ratio = bits <= 4 ? 1.12F : 1.03F;  // finer grids clip less
            constexpr int most_worse = bits <= 4 ? 2 : 3;  // so many steps past the best, there is no second top
            constexpr int most_rounds = 4;
            const float whole = (static_cast<float>(top_level) + (bits == 8 ? 0.0F : 1.0F)) / largest;
            Trial best;
            int worse = 0;
            for (float factor = first; worse < most_worse && factor < static_cast<float>(1 << bits); factor *= ratio) {
                worse = take_better(best, attempt(u, dim, whole * factor, largest)) ? 0 : worse + 1;
            }
            for (int round = 0; round < most_rounds; ++round) {
                if (!take_better(best, attempt(u, dim, best.next_stretch, largest))) break;
            }
            return best.stretch;
        }
    }

    static bool take_better(Trial& best, const Trial& trial) noexcept {
        if (!(trial.cosine > best.cosine)) return false;
        best = trial;
        return true;
    }

    static Trial attempt(const float* u, std::size_t dim, float stretch, float largest) noexcept {
        constexpr std::size_t lanes = 16;  // sums side by side, which a compiler can turn into vectors
        float products[lanes] = {}, squares[lanes] = {};
        const std::size_t whole = dim - dim % lanes;
        for (std::size_t i = 0; i < whole; i += lanes) {
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                const float absolute = std::abs(u[i + lane]);
                const auto at = static_cast<float>(value_of(level_of(absolute, stretch)));
                products[lane] += absolute * at;
                squares[lane] += at * at;
            }
        }
        for (std::size_t i = whole; i < dim; ++i) {
            const auto at = static_cast<float>(value_of(level_of(std::abs(u[i]), stretch)));
            products[0] += std::abs(u[i]) * at;
            squares[0] += at * at;
        }
        float product = 0, square = 0;
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            product += products[lane];
            square += squares[lane];
        }
        const float of_largest = product / largest;  // whose square stays within the range of a float
        return {stretch, square > 0 ? of_largest * of_largest / square : 0, product > 0 ? square / product : stretch};
    }
};

}  // namespace detail

}  // namespace kith::inline v0_single

// kith/quantize/rotation.hpp — a random rotation that costs O(d log d) instead of d².
//
// Codes that cut each element in the same way do best when no element matters more than another. A random rotation
// makes it so, whatever the data, and changes no distance. A dense one would cost more than the search; this one turns
// random signs and Hadamard transforms over the first and the last elements, in rounds, which mixes as well.
//
// Thread safety: only read once it is made.
// Source: Ailon & Chazelle, "The fast Johnson–Lindenstrauss transform and approximate nearest neighbors", SIAM J.
// Comput. 39(1), 2009, section 2; Andoni et al., arXiv:1509.02897, section 4 (three rounds of signs and Hadamard).

namespace kith::inline v0_single {

namespace detail {

/// The first two steps of a Hadamard transform, of each four elements of `count`, a multiple of four. Written in
/// registers of four, for compilers find none in so short a step.
inline void hadamard_fours(float* values, std::size_t count) noexcept {
    using Four = float __attribute__((vector_size(4 * sizeof(float))));
    constexpr Four minus_odd = {1, -1, 1, -1}, minus_upper = {1, 1, -1, -1};
    for (std::size_t first = 0; first < count; first += 4) {
        Four of;
        std::memcpy(&of, values + first, sizeof(of));
        of = __builtin_shufflevector(of, of, 0, 0, 2, 2) + __builtin_shufflevector(of, of, 1, 1, 3, 3) * minus_odd;
        of = __builtin_shufflevector(of, of, 0, 1, 0, 1) + __builtin_shufflevector(of, of, 2, 3, 2, 3) * minus_upper;
        std::memcpy(values + first, &of, sizeof(of));
    }
}

/// The Hadamard transform of `count` elements, a power of two from four on, in place, without the factor 1 / √count.
inline void hadamard(float* values, std::size_t count) noexcept {
    hadamard_fours(values, count);
    std::size_t step = 4;
    for (; 4 * step <= count; step *= 4) {  // two steps at once, for the way to memory is the longer part
        for (std::size_t first = 0; first < count; first += 4 * step) {
            float* const at = values + first;
            for (std::size_t i = 0; i < step; ++i) {
                const float a = at[i] + at[i + step], b = at[i] - at[i + step];
                const float c = at[i + 2 * step] + at[i + 3 * step], d = at[i + 2 * step] - at[i + 3 * step];
                at[i] = a + c;
                at[i + step] = b + d;
                at[i + 2 * step] = a - c;
                at[i + 3 * step] = b - d;
            }
        }
    }
    if (step == count) return;
    for (std::size_t i = 0; i < step; ++i) {
        const float sum = values[i] + values[i + step];
        values[i + step] = values[i] - values[i + step];
        values[i] = sum;
    }
}

}  // namespace detail

class Rotation {
public:
    /// The rotation of `dim` elements that belongs to `seed`; the same on every machine.
    /// Requires: dim is at least 1.
    Rotation(std::size_t dim, std::uint64_t seed)
        : dim_(dim), padded_dim_(padded_dim(dim)), signs_(rounds * padded_dim_) {
        SplitMix64 random(seed);
        for (float& sign : signs_) sign = (random() & 1) != 0 ? 1.0F : -1.0F;
    }

    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }

    /// Elements of a rotated vector of `dim` elements: that rounded up to a multiple of 16.
    [[nodiscard]] static constexpr std::size_t padded_dim(std::size_t dim) noexcept {
        return (dim + granule - 1) / granule * granule;
    }
    [[nodiscard]] std::size_t padded_dim() const noexcept { return padded_dim_; }

    /// Memory that the rotation of `dim` elements holds.
    [[nodiscard]] static constexpr std::size_t held_bytes(std::size_t dim) noexcept {
        return rounds * padded_dim(dim) * sizeof(float);
    }

    /// Rotates a vector; lengths and inner products stay as they are, up to rounding.
    /// Shape: `in` holds dim() elements, `out` has room for padded_dim(); they do not overlap.
    void apply(const float* in, float* out) const noexcept {
        std::copy_n(in, dim_, out);
        std::fill_n(out + dim_, padded_dim_ - dim_, 0.0F);
        for (std::size_t round = 0; round < rounds; ++round) {
            const float* const signs = &signs_[round * padded_dim_];
            for (std::size_t i = 0; i < padded_dim_; ++i) out[i] *= signs[i];
            mix(out);
            if (span() < padded_dim_) mix(out + padded_dim_ - span());
        }
    }

    /// The rotation back. Shape: `rotated` holds padded_dim() elements and is overwritten; `out` has room for dim().
    void invert(float* rotated, float* out) const noexcept {
        for (std::size_t round = rounds; round-- > 0;) {
            const float* const signs = &signs_[round * padded_dim_];
            if (span() < padded_dim_) mix(rotated + padded_dim_ - span());
            mix(rotated);
            for (std::size_t i = 0; i < padded_dim_; ++i) rotated[i] *= signs[i];
        }
        std::copy_n(rotated, dim_, out);
    }

private:
    static constexpr std::size_t granule = 16;  // a register of floats
    static constexpr std::size_t rounds = 3;

    /// The longest power of two that fits. Two of them, from either end, cover every element.
    [[nodiscard]] std::size_t span() const noexcept { return std::bit_floor(padded_dim_); }

    /// Its own inverse.
    void mix(float* values) const noexcept {
        const std::size_t count = span();
        detail::hadamard(values, count);
        const float norm = 1.0F / std::sqrt(static_cast<float>(count));
        for (std::size_t i = 0; i < count; ++i) values[i] *= norm;
    }

    std::size_t dim_;
    std::size_t padded_dim_;
    std::vector<float> signs_;  // rounds times padded_dim_ of 1 and -1
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

namespace detail {

// code = bias:f32 scale:f32 error:f32 spread:f32 fields
//
// With u the rotated vector about the mean and v the point of the grid that its elements name, scale is ‖u‖² / ⟨u, v⟩,
// so that scale · ⟨q, v⟩ is ⟨q, u⟩ and an error that is 0 on average; error is its size for a query of length 1, and
// spread is ‖u‖, both divided by √(width − 1): what a random direction has of them.
struct RaBitQHead {
    static constexpr std::size_t bytes = 16;

    explicit RaBitQHead(const std::byte* head) noexcept
        : bias(load_f32(head)), scale(load_f32(head + 4)), error(load_f32(head + 8)), spread(load_f32(head + 12)) {}
    RaBitQHead(float bias_of, float scale_of, float error_of, float spread_of) noexcept
        : bias(bias_of), scale(scale_of), error(error_of), spread(spread_of) {}

    void write(std::byte* head) const noexcept {
        store_f32(head, bias);
        store_f32(head + 4, scale);
        store_f32(head + 8, error);
        store_f32(head + 12, spread);
    }

    float bias;
    float scale;
    float error;
    float spread;
};

/// The distance of a code from a query of bytes, or from another code.
struct RaBitQFormula {
    float bias;
    float factor;         // weight · what a byte of the query stands for
    std::int64_t unit;    // of the grid
    std::int64_t offset;  // what the sum of unit · bytes has too much
    float reach;          // weight · ‖query‖
    float blur;           // weight · what the query lost when it became bytes

    [[nodiscard]] float distance(const std::byte* code, std::int32_t dot) const noexcept {
        const float product = factor * load_f32(code + 4) * static_cast<float>(unit * dot - offset);
        return (bias + load_f32(code)) - product;
    }

    /// What the distance may err by, but for few: see RaBitQ::confidence.
    [[nodiscard]] float error(const std::byte* code, float confidence) const noexcept {
        const RaBitQHead head(code);
        return confidence * (reach * head.error + blur * head.spread);
    }
};

/// Scores codes, and says how much nearer than estimated a vector may be.
class RaBitQScorer : public PackedScorer<RaBitQFormula> {
public:
    using PackedScorer<RaBitQFormula>::PackedScorer;

    /// A bound that the true distance of `slot` keeps to, but for few slots, when `distance` is the estimate.
    [[nodiscard]] float lower_bound(Slot slot, float distance, float confidence) const noexcept {
        return distance - formula().error(rows().code(slot), confidence);
    }
};

template <class M, unsigned bits>
class RaBitQCodec {
    using Grid = RaBitQGrid<bits>;

public:
    /// Codes of this codec in a row.
    class CodeRows {
    public:
        CodeRows(const RaBitQCodec& codec, const std::byte* codes) noexcept
            : codec_(&codec), packed_{codec.dots_, codec.shape(), codes} {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

        [[nodiscard]] RaBitQScorer scorer(const float* query, ScratchMemory& scratch) const {
            return codec_->query_scorer(packed_, query, scratch);
        }
        [[nodiscard]] RaBitQScorer scorer_of(Slot slot, ScratchMemory& scratch) const {
            return codec_->pair_scorer(packed_, slot, scratch);
        }

    private:
        const RaBitQCodec* codec_;
        PackedRows packed_;
    };

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return 1; }

    /// Learns the mean; the rotation comes from the seed. Throws: Errc::invalid_argument, Errc::cancelled.
    static RaBitQCodec train(MatrixView sample, const Training& training) {
        return RaBitQCodec(Centring<M>::train(sample, training), training.seed);
    }

    /// version:u8 = 1, seed:u64, centring. Throws: Errc::corrupt, Errc::unsupported_version.
    static RaBitQCodec load(ByteReader& reader, std::size_t dim) {
        std::uint8_t found = 0;
        if (!reader.u8(found)) raise(Errc::corrupt, "rabitq: no parameters");
        if (found != version)
            raise(Errc::unsupported_version, "rabitq: parameters of version " + std::to_string(found));
        std::uint64_t seed = 0;
        if (!reader.u64(seed)) raise(Errc::corrupt, "rabitq: the seed ends early");
        return RaBitQCodec(Centring<M>::load(reader, dim), seed);
    }

    void save(ByteWriter& writer) const {
        writer.u8(version);
        writer.u64(seed_);
        centring_.save(writer);
    }

    [[nodiscard]] std::size_t dim() const noexcept { return centring_.dim(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return packed_stride(RaBitQHead::bytes, bits, width()); }
    [[nodiscard]] static CodecSpace space(std::size_t dim) noexcept {
        return {packed_stride(RaBitQHead::bytes, bits, Rotation::padded_dim(dim)),
                1 + sizeof(std::uint64_t) + dim * sizeof(float), dim * sizeof(float) + Rotation::held_bytes(dim)};
    }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        auto* const u = scratch.take_array<float>(2 * width() + dim());
        auto* const elements = reinterpret_cast<std::uint8_t*>(u + width());
        const float from_centre = enter(vector, u, u + 2 * width());
        const double u_squares = squares(u, width());
        const GridFit fit = Grid::fit(u, width(), elements);
        const double scale = fit.product > 0 ? u_squares / fit.product : 0;
        const double lost = scale * scale * fit.squares - u_squares;
        const double directions = random_directions();
        RaBitQHead(Centring<M>::bias(from_centre, u_squares), static_cast<float>(scale),
                   static_cast<float>(std::sqrt(std::max(0.0, lost) / directions)),
                   static_cast<float>(std::sqrt(u_squares / directions)))
            .write(code);
        pack(bits, elements, width(), code + RaBitQHead::bytes, code + code_bytes());
    }

    /// The vector nearest to the true one of those in the direction of the code.
    void decode(const std::byte* code, float* out) const {
        std::vector<std::uint8_t> elements(width());
        std::vector<float> u(width());
        unpack(bits, code + RaBitQHead::bytes, width(), elements.data());
        double grid_squares = 0;
        for (std::size_t i = 0; i < width(); ++i) {
            u[i] = static_cast<float>(Grid::value(elements[i]));
            grid_squares += static_cast<double>(u[i]) * static_cast<double>(u[i]);
        }
        const RaBitQHead head(code);
        const double u_squares =
            static_cast<double>(head.spread) * static_cast<double>(head.spread) * random_directions();
        const double product = head.scale > 0 ? u_squares / static_cast<double>(head.scale) : 0;
        const auto scale = static_cast<float>(grid_squares > 0 ? product / grid_squares : 0);
        for (float& element : u) element *= scale;
        rotation_.invert(u.data(), out);
        centring_.restore(out, out);
    }

    [[nodiscard]] CodeRows rows(const std::byte* codes) const noexcept { return CodeRows(*this, codes); }

private:
    static constexpr std::uint8_t version = 1;  // on disk
    static constexpr float weight = Centring<M>::weight;

    RaBitQCodec(Centring<M> centring, std::uint64_t seed)
        : centring_(std::move(centring)),
          seed_(seed),
          rotation_(centring_.dim(), seed),
          dots_(packed_dots(bits, best_isa())) {}

    /// Writes u of `vector`, rotated, and returns what Centring::bias() needs. Shape: `spare` has room for dim().
    float enter(const float* vector, float* u, float* spare) const noexcept {
        const float from_centre = centring_.centre(vector, spare);
        rotation_.apply(spare, u);
        return from_centre;
    }

    [[nodiscard]] std::size_t width() const noexcept { return rotation_.padded_dim(); }
    [[nodiscard]] PackedShape shape() const noexcept { return {width(), RaBitQHead::bytes, code_bytes()}; }

    /// Directions at right angles to a vector.
    [[nodiscard]] double random_directions() const noexcept {
        return width() > 1 ? static_cast<double>(width() - 1) : 1.0;
    }

    [[nodiscard]] RaBitQScorer query_scorer(const PackedRows& rows, const float* query, ScratchMemory& scratch) const {
        const PackedQuery prepared(bits, width(), dim(), scratch);
        const float* const u = prepared.u;
        const float from_centre = enter(query, prepared.u, prepared.spare);
        const ByteVector bytes = prepared.from_floats();
        double lost = 0;
        for (std::size_t i = 0; i < width(); ++i) {
            const double difference = static_cast<double>(u[i]) - static_cast<double>(bytes.step) * prepared.factors[i];
            lost += difference * difference;
        }
        const double u_squares = squares(u, width());
        return {rows, prepared.query,
                RaBitQFormula{.bias = Centring<M>::bias(from_centre, u_squares),
                              .factor = weight * bytes.step,
                              .unit = Grid::unit,
                              .offset = std::int64_t{Grid::zero} * bytes.sum,
                              .reach = weight * static_cast<float>(std::sqrt(u_squares)),
                              .blur = weight * static_cast<float>(std::sqrt(lost))}};
    }

    [[nodiscard]] RaBitQScorer pair_scorer(const PackedRows& rows, Slot slot, ScratchMemory& scratch) const {
        const PackedQuery prepared(bits, width(), 0, scratch);
        const std::int64_t sum = prepared.from_code(rows.fields(slot), Grid::value);
        double grid_squares = 0;
        for (std::size_t i = 0; i < width(); ++i) {
            grid_squares += static_cast<double>(prepared.factors[i] * prepared.factors[i]);
        }
        const RaBitQHead head(rows.code(slot));
        const auto directions = static_cast<float>(std::sqrt(random_directions()));
        return {rows, prepared.query,
                RaBitQFormula{.bias = head.bias,
                              .factor = weight * head.scale,
                              .unit = Grid::unit,
                              .offset = Grid::zero * sum,
                              .reach = weight * head.scale * static_cast<float>(std::sqrt(grid_squares)),
                              .blur = weight * head.error * directions}};
    }

    Centring<M> centring_;
    std::uint64_t seed_;  // of rotation_
    Rotation rotation_;
    PackedDots dots_;
};

}  // namespace detail

/// `bits` bits an element of the rotated vector. One bit is for a first look at very many vectors; 4 or 5 keep most of
/// the recall of floats, 7 or 8 all but a fiftieth (docs/quantizers.md).
template <unsigned bits>
struct RaBitQ {
    static_assert(bits >= 1 && bits <= 8, "kith: RaBitQ: an element has 1 to 8 bits");

    static constexpr std::string_view name =
        std::string_view("rabitq1rabitq2rabitq3rabitq4rabitq5rabitq6rabitq7rabitq8")
            .substr(7 * (bits - 1), 7);  // stored on disk: never rename
    static constexpr float rescore = bits == 1 ? 10.0F : bits == 2 ? 6.0F : bits <= 4 ? 3.0F : 2.0F;

    /// ε₀ of the paper: with 1.9 a true distance is below its lower bound for at most 3.5 of 100 vectors, as measured
    /// from 64 to 1,000 dimensions.
    static constexpr float confidence = 1.9F;

    template <class M>
    using Codec = detail::RaBitQCodec<M, bits>;
};

static_assert(Quantizer<RaBitQ<1>, L2>);
static_assert(Quantizer<RaBitQ<8>, InnerProduct>);

}  // namespace kith::inline v0_single

namespace kith::inline v0_single::detail {

class IvfRaBitQCodes {
public:
    static constexpr bool coded = true;
    static constexpr float confidence = RaBitQ<1>::confidence;
    static constexpr std::string_view content = "rabitq1";  // on disk
    static constexpr std::size_t piece = 4;                 // elements

    class Encoder;
    class Tables;
    template <class R>
    class Scan;

    /// Throws: Errc::invalid_argument.
    static void check(const IvfParams&, std::size_t dim) {
        if (dim <= most_dim) return;
        raise(Errc::invalid_argument, "Ivf: bits of vectors of up to " + std::to_string(most_dim) +
                                          " elements can be listed, not of " + std::to_string(dim));
    }

    [[nodiscard]] static IvfRaBitQCodes train(const IvfLesson& lesson) {
        lesson.training.report(1);
        return {mean_of_sample(lesson.sample), lesson.training.seed};
    }

    [[nodiscard]] static std::size_t pieces_for(const IvfParams&, std::size_t dim) noexcept {
        return Rotation::padded_dim(dim) / piece;
    }
    [[nodiscard]] static bool possible(const IvfHeader& header) noexcept {
        return header.dim <= most_dim && header.subvectors == (header.dim + 15) / 16 * 16 / piece;
    }
    [[nodiscard]] static IvfParts parts(const IvfHeader& header) noexcept {
        return {header.dim, 0, FastScanLayout::bounded_block_bytes(FastScanLayout::pairs(header.subvectors))};
    }
    [[nodiscard]] static IvfRaBitQCodes load(const IvfHeader& header, std::vector<float> mean,
                                             const std::vector<float>&) {
        return {std::move(mean), header.rotation_seed};
    }
    void describe(IvfHeader& header) const noexcept {
        header.subvectors = static_cast<std::uint32_t>(pieces());
        header.rotation_seed = seed_;
    }

    IvfRaBitQCodes() noexcept = default;

    [[nodiscard]] const std::vector<float>& mean() const noexcept { return mean_; }
    [[nodiscard]] const std::vector<float>& words() const noexcept { return nothing_; }
    [[nodiscard]] std::size_t record_bytes() const noexcept { return FastScanLayout::bounded_block_bytes(pairs()); }

    [[nodiscard]] const Rotation& rotation() const noexcept { return *rotation_; }
    [[nodiscard]] const FastScanKernels& kernels() const noexcept { return kernels_; }
    [[nodiscard]] std::size_t width() const noexcept { return rotation_ ? rotation_->padded_dim() : 0; }
    [[nodiscard]] std::size_t pieces() const noexcept { return width() / piece; }
    [[nodiscard]] std::size_t pairs() const noexcept { return FastScanLayout::pairs(pieces()); }

private:
    static constexpr std::size_t most_dim = IvfParams::most_subvectors * piece;

    IvfRaBitQCodes(std::vector<float> mean, std::uint64_t seed)
        : mean_(std::move(mean)), seed_(seed), rotation_(std::in_place, mean_.size(), seed) {}

    std::vector<float> mean_;           // μ
    std::vector<float> nothing_;        // for there are no words to keep
    std::uint64_t seed_ = 0;            // of rotation_
    std::optional<Rotation> rotation_;  // P; none before it is trained
    FastScanKernels kernels_ = fast_scan_kernels(best_isa());
};

static_assert(IvfCodes<IvfRaBitQCodes>);

/// A vector on its way into a block. Memory for one at a time.
class IvfRaBitQCodes::Encoder {
public:
    Encoder(const IvfRaBitQCodes& codes, const Centroids& centroids, IvfForm form)
        : codes_(codes),
          centroids_(centroids),
          form_(form),
          vector_(centroids.dim()),
          residual_(centroids.dim()),
          rotated_(codes.width()),
          centre_(codes.width()) {}

    /// Where the caller puts the next vector: as many elements as centroids have.
    [[nodiscard]] float* vector() noexcept { return vector_.data(); }

    /// Codes the vector as one of `list` and writes it as vector `at` of a block.
    void put(std::size_t list, std::byte* record, std::size_t at) noexcept {
        enter(list);
        const float* const centroid = centroids_.row(list);
        for (std::size_t d = 0; d < centroids_.dim(); ++d) residual_[d] = vector_[d] - centroid[d];
        codes_.rotation().apply(residual_.data(), rotated_.data());
        write_signs(record, at);
        const Numbers numbers = numbers_of(centroid);
        std::byte* const to = record + FastScanLayout::code_bytes(codes_.pairs()) + at * sizeof(float);
        constexpr std::size_t row = FastScanLayout::vectors * sizeof(float);
        store_f32(to, numbers.bias);
        store_f32(to + row, numbers.scale);
        store_f32(to + 2 * row, numbers.error);
    }

private:
    /// s, 2f and 2e.
    struct Numbers {
        float bias = 0;
        float scale = 0;
        float error = 0;
    };

    /// Rotates c − μ of a list that is not the last one's. What is coded at once comes list by list.
    void enter(std::size_t list) noexcept {
        if (list_ == list) return;
        list_ = list;
        const float* const centroid = centroids_.row(list);
        for (std::size_t d = 0; d < centroids_.dim(); ++d) residual_[d] = centroid[d] - codes_.mean()[d];
        codes_.rotation().apply(residual_.data(), centre_.data());
    }

    void write_signs(std::byte* record, std::size_t at) const noexcept {
        for (std::size_t pair = 0; pair < codes_.pairs(); ++pair) {
            unsigned signs = 0;
            for (unsigned bit = 0; bit < 2 * piece; ++bit) {
                signs |= (rotated_[2 * piece * pair + bit] < 0 ? 0U : 1U) << bit;
            }
            record[pair * FastScanLayout::vectors + at] = static_cast<std::byte>(signs);
        }
    }

    [[nodiscard]] Numbers numbers_of(const float* centroid) const noexcept {
        constexpr std::size_t lanes = 8;  // sums side by side, which the compiler may keep in registers
        double lengths[lanes] = {}, squares[lanes] = {}, centres[lanes] = {};
        for (std::size_t i = 0; i < codes_.width(); ++i) {
            const double element = rotated_[i], centre = centre_[i];
            lengths[i % lanes] += std::abs(element);
            squares[i % lanes] += element * element;
            centres[i % lanes] += element < 0 ? -centre : centre;
        }
        double length = 0, square = 0, of_centre = 0;
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            length += lengths[lane];
            square += squares[lane];
            of_centre += centres[lane];
        }
        const auto width = static_cast<double>(codes_.width());
        const double weight = static_cast<double>(form_.weight);
        const double scale = length > 0 ? square / length : 0;
        double bias = weight / 2 * square;
        if (form_.product) {
            bias = 0;
            for (std::size_t d = 0; d < centroids_.dim(); ++d) {
                bias -= static_cast<double>(centroid[d]) * static_cast<double>(residual_[d]);
            }
        }
        const double error = std::sqrt(std::max(0.0, scale * scale * width - square) / (width - 1));
        const Numbers numbers{static_cast<float>(bias + weight * scale * of_centre), static_cast<float>(weight * scale),
                              static_cast<float>(weight * error)};
        if (std::isfinite(numbers.bias) && std::isfinite(numbers.scale) && std::isfinite(numbers.error)) return numbers;
        // Near the largest numbers nothing can be said of the distance: every search compares this vector.
        return {-std::numeric_limits<float>::infinity(), 0, 0};
    }

    const IvfRaBitQCodes& codes_;
    const Centroids& centroids_;
    IvfForm form_;
    std::vector<float> vector_;
    std::vector<float> residual_;
    std::vector<float> rotated_;
    std::vector<float> centre_;  // c − μ of list_, rotated
    std::size_t list_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace kith::inline v0_single::detail

// kith/index/ivf/rabitq_scan.hpp — one search of RaBitQ codes: what may be nearer than the worst so far is compared.
//
// Of every vector that is read there is a bound on how near it may be. Those whose bound is not above the worst of the
// nearest so far are compared by their own vectors at once, so the worst falls while lists are read, nearest first, and
// most vectors of later lists are ruled out inside the registers. Nobody has to say how many to compare.
//
// Before there is a worst, all would be compared: so the first few hundred wait, and the least bounds among them come
// first.
//
// Thread safety: a scan belongs to one search.
// Source: Gao & Long, "RaBitQ", arXiv:2405.12497, section 4.

namespace kith::inline v0_single::detail {

/// A query made ready for codes of all lists, in memory that the caller keeps.
class IvfRaBitQCodes::Tables {
public:
    /// Bounds are `errors` times the usual error below the estimates: ε₀.
    /// Shape: `query` holds as many elements as the mean. Throws: std::bad_alloc while `memory` grows.
    Tables(const IvfRaBitQCodes& codes, const float* query, float errors, ScratchMemory& memory)
        : codes_(codes), errors_(errors) {
        const std::size_t dim = codes.mean().size(), pieces = codes.pieces();
        const auto arrays = carve<5>(
            memory, {dim * sizeof(float), codes.width() * sizeof(float), pieces * FastScanLayout::words * sizeof(float),
                     pieces * sizeof(float), FastScanLayout::table_bytes(codes.pairs())});
        auto* const centred = reinterpret_cast<float*>(arrays[0]);
        auto* const rotated = reinterpret_cast<float*>(arrays[1]);
        rounded_ = reinterpret_cast<std::uint8_t*>(arrays[4]);
        for (std::size_t d = 0; d < dim; ++d) centred[d] = query[d] - codes.mean()[d];
        codes.rotation().apply(centred, rotated);
        make(rotated, reinterpret_cast<float*>(arrays[2]), reinterpret_cast<float*>(arrays[3]));
    }

    /// Names those of the first `count` vectors of `record` and the blocks that follow it whose bound is not above
    /// `limit`, with their bounds, both less the part of the distance that the list gives; returns how many.
    /// Requires: `reach` is no less than how far the query is from the centroid.
    std::size_t scan(const std::byte* record, std::size_t count, float reach, float limit, std::uint32_t* positions,
                     float* bounds) const noexcept {
        return codes_.kernels().scan_bounds({rounded_, codes_.pairs(), 0}, {unit_, low_, errors_ * reach, limit},
                                            record, count, positions, bounds);
    }

private:
    /// 16 products with the corners of each piece, rounded.
    void make(const float* rotated, float* tables, float* lows) noexcept {
        const std::size_t pieces = codes_.pieces();
        for (std::size_t at = 0; at < pieces; ++at) {
            const float a = rotated[4 * at], b = rotated[4 * at + 1], c = rotated[4 * at + 2], d = rotated[4 * at + 3];
            float* const table = tables + at * FastScanLayout::words;
            const float low[4] = {-a - b, a - b, b - a, a + b};
            const float high[4] = {-c - d, c - d, d - c, c + d};
            for (std::size_t word = 0; word < FastScanLayout::words; ++word) {
                table[word] = high[word / 4] + low[word % 4];
            }
        }
        float widest = 0, sum = 0;
        codes_.kernels().ranges(tables, pieces, lows, &widest, &sum);
        constexpr float largest = 65535;  // of a total
        const float room = largest - static_cast<float>(pieces);
        const float unit = std::max(widest / static_cast<float>(FastScanLayout::most), sum / room);
        std::memset(rounded_, 0, FastScanLayout::table_bytes(codes_.pairs()));
        if (unit > 0 && std::isfinite(unit) && std::isfinite(1 / unit) && std::isfinite(sum)) {
            unit_ = unit;
            codes_.kernels().round(tables, pieces, lows, 1 / unit, rounded_);
            for (std::size_t at = 0; at < pieces; ++at) low_ += lows[at];
            // Each entry is off by up to half a unit, evenly: so much more may the products be.
            low_ += errors_ * unit * std::sqrt(static_cast<float>(pieces) / 12);
        } else if (!(sum == 0)) {  // elements near the largest float or the least: no bound is known
            low_ = std::numeric_limits<float>::infinity();
        }
    }

    const IvfRaBitQCodes& codes_;
    float errors_;
    std::uint8_t* rounded_;  // the tables of the scan
    float unit_ = 0;         // of totals
    float low_ = 0;          // the least product with a code, and what rounding may add
};

template <class R>
class IvfRaBitQCodes::Scan {
public:
    Scan(const IvfRaBitQCodes& codes, const IvfQuery<R>& lists, const IvfQuestion<R>& asked, TopK& best)
        : lists_(lists),
          asked_(asked),
          best_(best),
          scorer_(asked.scorer()),
          block_(scorer_, best),
          tables_(codes, lists.vector(), confidence, asked.scratch.lists.nested()) {
        constexpr std::size_t at_once = IvfQuery<R>::vectors_at_once;
        const auto arrays = carve<3>(
            asked.scratch.lists.nested().nested(),
            {at_once * sizeof(std::uint32_t), at_once * sizeof(float), (enough + at_once) * sizeof(Candidate)});
        positions_ = reinterpret_cast<std::uint32_t*>(arrays[0]);
        bounds_ = reinterpret_cast<float*>(arrays[1]);
        waiting_ = reinterpret_cast<Candidate*>(arrays[2]);
    }

    /// Compares the vectors of a list that may be near enough, or lets them wait for others to be compared first.
    void read(const IvfBlocks& blocks, std::size_t at) noexcept {
        const auto [square, rounding] = lists_.square(at);
        const float reach = std::sqrt(std::max(0.0F, square) + rounding);
        const float base =
            form_of<R>.product ? lists_.distance(at) - rounding : form_of<R>.weight / 2 * (square - rounding);
        lists_.each_run(blocks, at, [&](IvfBlocks::Run run) {
            std::size_t found = 0;
            {
                const Held records = blocks.hold_records(run);
                found = tables_.scan(blocks.record(run.first), run.count, reach, best_.worst_distance() - base,
                                     positions_, bounds_);
            }
            const Held held = blocks.hold_slots(run);
            const Slot* const slots = blocks.slots(run.first);
            for (std::size_t i = 0; i < found; ++i) __builtin_prefetch(slots + positions_[i]);
            const bool waits = best_.size() < asked_.limit;
            for (std::size_t i = 0; i < found; ++i) {
                const Slot slot = slots[positions_[i]];
                if (!asked_.allowed.allows(slot)) continue;
                if (waits) {
                    waiting_[count_++] = Candidate(base + bounds_[i], slot);
                } else {
                    scorer_.prefetch(slot);
                    block_.add(slot);
                }
            }
            if (count_ >= enough) settle();
            return true;
        });
    }

    [[nodiscard]] std::size_t found() noexcept {
        settle();
        return best_.size();
    }

    void finish(const IvfBlocks&) noexcept { settle(); }

private:
    static constexpr std::size_t enough = 256;

    /// Compares those that wait, the least bounds first, for they make others needless.
    void settle() noexcept {
        const std::size_t first = asked_.limit + asked_.limit / 2;
        if (count_ > first) std::nth_element(waiting_, waiting_ + first, waiting_ + count_);
        for (std::size_t i = 0; i < count_; ++i) {
            if (i == first) block_.flush();
            if (!(waiting_[i].distance() > best_.worst_distance())) block_.add(waiting_[i].slot());
        }
        block_.flush();
        count_ = 0;
    }

    const IvfQuery<R>& lists_;
    const IvfQuestion<R>& asked_;
    TopK& best_;
    IvfScorer<R> scorer_;
    ScanBlock<IvfScorer<R>> block_;
    Tables tables_;
    std::uint32_t* positions_;  // of what a run left
    float* bounds_;             // of those
    Candidate* waiting_;        // slots with their bounds, not compared yet
    std::size_t count_ = 0;     // of those, below `enough` between runs
};

}  // namespace kith::inline v0_single::detail

// kith/index/ivf/space.hpp — how many bytes an inverted file takes, said before it is trained.
//
// Thread safety: plain functions.

namespace kith::inline v0_single::detail {

/// `lists` lists of `count` vectors. Their last blocks are half empty.
template <IvfCodes Codes, class Graph>
IndexSpace trained_ivf_space(const IvfParams& params, std::size_t dim, std::size_t lists, std::size_t count) {
    IvfHeader header;
    header.dim = static_cast<std::uint32_t>(dim);
    header.lists = static_cast<std::uint32_t>(lists);
    header.subvectors = static_cast<std::uint32_t>(Codes::pieces_for(params, dim));
    header.blocks = static_cast<std::uint32_t>(count / IvfBlocks::vectors + lists / 2);
    const IvfParts parts = Codes::parts(header);
    IndexSpace graph;
    if (lists >= params.graph_from) graph = Graph::space(dim, static_cast<Slot>(lists));
    header.graph_bytes = graph.disk_bytes;
    constexpr std::uint64_t copies = 2;  // of centroids and words, as they came and as kernels read them
    const std::uint64_t learned = copies * lists * dim + lists + parts.mean + copies * parts.words;
    return {learned * sizeof(float) + lists * sizeof(IvfBlocks::List) +
                header.blocks * IvfBlocks::block_bytes(parts.record_bytes) + graph.memory_bytes,
            IvfLayout::of(header, parts).end};
}

/// An index of `count` vectors that come a few at a time: lists are made when there are rows for them, and anew when
/// there are rows for twice as many, while the former ones stay in memory.
template <IvfCodes Codes, class Graph>
IndexSpace ivf_space(const IvfParams& params, std::size_t dim, std::size_t count) {
    IndexSpace all{0, ivf_header_bytes};
    for (std::size_t from = params.trains_from(); from <= count;) {
        const std::size_t lists = params.lists_for(from);
        const std::size_t until = params.lists != 0 ? count + 1 : lists * lists;  // lists_for() that many is twice
        const IndexSpace trained = trained_ivf_space<Codes, Graph>(params, dim, lists, std::min(until, count));
        all.memory_bytes += trained.memory_bytes;
        all.disk_bytes = trained.disk_bytes;
        from = until;
    }
    return all;
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single {

/// Lists hold nothing but slots: every vector of a list that is read is compared by itself.
struct IvfRaw {
    static constexpr std::string_view name = "raw";       // stored on disk: never rename
    static constexpr std::string_view index = "ivf_raw";  // stored on disk: never rename
    using Codes = detail::IvfNoCodes;
};

/// Lists hold 4 bits for each piece of a vector; the best are compared by their vectors, `rescore` times as many as are
/// wanted.
struct IvfPq {
    static constexpr std::string_view name = "pq4";       // stored on disk: never rename
    static constexpr std::string_view index = "ivf_pq4";  // stored on disk: never rename
    static constexpr float rescore = detail::IvfPqCodes::rescore;
    using Codes = detail::IvfPqCodes;
};

/// Lists hold one bit for each element of a rotated vector, and a lower bound of its distance comes with every
/// estimate: a vector is compared by itself when its bound is not above the worst of the nearest so far. So no
/// codebooks are trained, what is left out was ruled out but for few in a hundred near the edge, and there is no factor
/// to choose: SearchParams::rescore is not looked at. On vectors of 384 and 784 elements it answers 1.3 to 1.4 times as
/// many queries as IvfPq at the same recall; on those of 100, whose bounds are wide, two thirds as many.
struct IvfRaBitQ {
    static constexpr std::string_view name = "rabitq1";       // stored on disk: never rename
    static constexpr std::string_view index = "ivf_rabitq1";  // stored on disk: never rename
    using Codes = detail::IvfRaBitQCodes;
};

/// Content says what lists hold besides slots: IvfPq, IvfRaBitQ or IvfRaw.
template <class R, class Content = IvfPq>
class IvfIndex {
    using Codes = typename Content::Codes;

public:
    /// An index without rows.
    IvfIndex(const IvfParams& params, Slot capacity) : params_(params), capacity_(capacity) {}

    /// The index of `count` rows that save() wrote, over bytes that outlive it; it serves searches only.
    /// Requires: image.data() is aligned to 64 bytes.
    /// Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static IvfIndex map(const ImageBytes& image, Slot count) {
        detail::MappedIvf<Codes> mapped = detail::map_ivf<Codes>(image, count, metric);
        IvfIndex index(mapped.header.params, count);
        if (mapped.trained) {
            auto made = std::make_unique<Trained>(
                Trained{std::move(mapped.trained->first), std::move(mapped.trained->second), nullptr});
            made->added_error = mapped.header.added_error;
            made->added = mapped.header.added;
            if (!mapped.graph.empty()) made->graph = std::make_unique<const Graph>(made->model.centroids, mapped.graph);
            index.take(std::move(made));
        }
        index.size_ = count;
        return index;
    }

    IvfIndex(IvfIndex&& other) noexcept
        : params_(other.params_),
          capacity_(other.capacity_),
          retired_(std::move(other.retired_)),
          trained_(std::move(other.trained_)),
          lists_(other.lists_.exchange(nullptr)),
          size_(other.size_.exchange(0)) {}

    /// Searches are told of the slots below this.
    [[nodiscard]] Slot size() const noexcept { return size_.load(std::memory_order_acquire); }
    [[nodiscard]] const IvfParams& params() const noexcept { return params_; }

    /// Whether there are lists to read. Unlike lists(), drift() and outgrown() it may be asked beside an insert.
    [[nodiscard]] bool trained() const noexcept { return lists_.load(std::memory_order_acquire) != nullptr; }

    /// Lists there are; 0 while it is not trained.
    [[nodiscard]] std::size_t lists() const noexcept { return trained_ ? trained_->model.lists() : 0; }

    /// How far rows lie from their centroids, as a multiple of how far those did that it was trained with. Above 1.2 or
    /// so, retrain() pays. 1 where nothing was added since.
    [[nodiscard]] double drift() const noexcept {
        if (!trained_ || trained_->added == 0 || !(trained_->model.trained_error > 0)) return 1;
        return trained_->added_error / static_cast<double>(trained_->added) / trained_->model.trained_error;
    }

    /// Adds the slots from size() up to `count`, and trains the lists first once there are enough rows.
    /// Requires: count is at most the capacity; those rows are readable and stay as they are.
    /// Throws: Errc::invalid_argument for parameters that do not fit the rows; nothing has changed.
    void insert(const R& rows, Slot count, unsigned threads = 1) {
        insert(rows, count, Training{.seed = params_.seed, .threads = threads, .progress = {}});
    }

    /// The same, with progress; what it throws is thrown on, and nothing has changed.
    void insert(const R& rows, Slot count, const Training& training) {
        const Slot first = size();
        if (count <= first) return;
        KITH_ASSERT(count <= capacity_);
        if (trained_) {
            double error = 0;
            const auto list_of = detail::lists_of(trained_->model, rows, first, count, training.threads, error);
            detail::fill_lists(trained_->model, trained_->blocks, rows, first, list_of, training.threads);
            trained_->added_error += error;
            trained_->added += count - first;
        } else if (count >= params_.trains_from()) {
            take(train(rows, count, training));
        }
        size_.store(count, std::memory_order_release);
    }

    /// Takes over the lists of `other`, over the same rows. False, and nothing has changed, where it has other parameters
    /// or lists of vectors of another dimension, or is damaged.
    /// Requires: this is empty, with room for them.
    bool adopt(const R& rows, const IvfIndex& other) {
        KITH_ASSERT(size() == 0 && other.size() <= capacity_);
        if (!(params_ == other.params_)) return false;
        if (other.trained_) {
            const Trained& from = *other.trained_;
            if (from.model.dim() != rows.dim()) return false;
            detail::IvfBlocks blocks(from.model.lists(), from.model.codes.record_bytes(), capacity_);
            if (!blocks.adopt(from.blocks, other.size())) return false;
            auto made = std::make_unique<Trained>(Trained{from.model, std::move(blocks), nullptr});
            made->added_error = from.added_error;
            made->added = from.added;
            if (from.graph) made->graph = std::make_unique<const Graph>(made->model.centroids, *from.graph);
            take(std::move(made));
        }
        size_.store(other.size(), std::memory_order_release);
        return true;
    }

    /// Whether retrain() would pay: there are rows for twice the lists, or they fit much worse than those it was
    /// trained with.
    [[nodiscard]] bool outgrown() const noexcept {
        constexpr double bad_fit = 1.2;
        return trained_ && (params_.lists_for(size()) >= 2 * trained_->model.lists() || drift() > bad_fit);
    }

    /// Learns lists and codes anew from all rows. Searches that run read the former lists, which stay in memory.
    /// Throws: as insert; the index is then as before.
    void retrain(const R& rows, const Training& training) {
        if (size() == 0 || size() < params_.lists_for(size())) return;
        take(train(rows, size(), training));
    }

    /// The nearest allowed slots of the lists that are read, nearest first, equal distances by slot; returns how many.
    /// Lists are read until params.limit slots were found or there are no more.
    /// Shape: `query` holds rows.dim() elements, `out` has room for min(params.limit, size()).
    /// Throws: std::bad_alloc while `scratch` still grows.
    std::size_t search(const R& rows, const float* query, const SearchParams& params, SearchScratch& scratch,
                       Neighbor* out) const {
        const Slot listed = size();
        const Slot returned = std::min(listed, params.allowed.count());
        const BitsetView allowed = params.allowed.first(returned);
        const std::size_t limit = std::min<std::size_t>(params.limit, returned);
        if (limit == 0) return 0;
        const Trained* const trained = lists_.load(std::memory_order_acquire);
        // A mapped image of another dimension cannot be asked; its rows can.
        if (trained == nullptr || trained->model.dim() != rows.dim()) {
            TopK best(std::span(out, limit));
            detail::scan(rows.scorer(query, scratch.query), 0, returned, allowed, best);
            return best.sorted().size();
        }
        const std::size_t lists = trained->model.lists();
        const std::size_t nprobe = std::min(params.nprobe != 0 ? params.nprobe : usual_nprobe(lists), lists);
        // A graph that has to name a large part of the lists is slower than comparing all.
        const Graph* const graph = nprobe * 4 <= lists ? trained->graph.get() : nullptr;
        const detail::IvfQuestion<R> asked{rows, query, params, listed, allowed, limit, scratch};
        const std::size_t found = detail::search_lists(trained->model, trained->blocks, graph, nprobe, asked, out);
        if (graph == nullptr || found == limit) return found;
        return detail::search_lists<Codes, R>(trained->model, trained->blocks, nullptr, nprobe, asked, out);
    }

    /// Writes the image that map() reads. Requires: no insert runs.
    template <class Sink>
    void save(const Sink& sink) const {
        detail::IvfHeader header;
        header.count = size();
        header.params = params_;
        if (!trained_) {
            const std::string bytes = detail::ivf_header(header, metric, Codes::content);
            sink(bytes.data(), bytes.size());
            return;
        }
        header.added_error = trained_->added_error;
        header.added = trained_->added;
        std::string graph;
        if (trained_->graph) {
            trained_->graph->save(
                [&](const void* data, std::size_t bytes) { graph.append(static_cast<const char*>(data), bytes); });
        }
        detail::save_ivf(trained_->model, trained_->blocks, graph, header, metric, sink);
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        std::size_t bytes = trained_ ? trained_->memory_bytes() : 0;
        for (const auto& former : retired_) bytes += former->memory_bytes();
        return bytes;
    }

    /// What `count` vectors take, when they come a few at a time.
    [[nodiscard]] static IndexSpace space(const IvfParams& params, std::size_t dim, Slot count) {
        return detail::ivf_space<Codes, Graph>(params, dim, count);
    }

private:
    static constexpr std::string_view metric = detail::MetricOf<R>::type::name;

    using Graph = detail::CentroidGraph<detail::is_product_rows<R>>;

    struct Trained {
        detail::IvfModel<Codes> model;
        detail::IvfBlocks blocks;
        std::unique_ptr<const Graph> graph;  // over the centroids; null where there are few
        double added_error = 0;              // sum of squared distances of rows added since it was trained
        std::size_t added = 0;               // rows added since

        [[nodiscard]] std::size_t memory_bytes() const noexcept {
            const std::size_t floats = model.codes.mean().size() + 2 * model.codes.words().size();
            return model.centroids.memory_bytes() + floats * sizeof(float) + blocks.memory_bytes() +
                   (graph ? graph->memory_bytes() : 0);
        }
    };

    [[nodiscard]] std::size_t usual_nprobe(std::size_t lists) const noexcept {
        return params_.nprobe != 0 ? params_.nprobe : std::max<std::size_t>(8, lists / 16);
    }

    [[nodiscard]] std::unique_ptr<Trained> train(const R& rows, Slot count, const Training& training) const {
        detail::IvfModel<Codes> model = detail::train_ivf<Codes>(rows, count, params_, training);
        detail::IvfBlocks blocks(model.lists(), model.codes.record_bytes(), capacity_);
        auto made = std::make_unique<Trained>(Trained{std::move(model), std::move(blocks), nullptr});
        if (made->model.lists() >= params_.graph_from) {
            made->graph = std::make_unique<const Graph>(made->model.centroids);
        }
        double error = 0;
        const auto list_of = detail::lists_of(made->model, rows, 0, count, training.threads, error);
        detail::fill_lists(made->model, made->blocks, rows, 0, list_of, training.threads);
        made->model.trained_error = error / count;
        return made;
    }

    void take(std::unique_ptr<Trained> made) {
        if (trained_) retired_.emplace_back();
        lists_.store(made.get(), std::memory_order_release);
        trained_.swap(made);
        if (made) retired_.back() = std::move(made);
    }

    IvfParams params_;
    Slot capacity_;
    std::vector<std::unique_ptr<const Trained>> retired_;  // for a search may be reading any of them
    std::unique_ptr<Trained> trained_;
    std::atomic<const Trained*> lists_ = nullptr;  // trained_, for those who search
    std::atomic<Slot> size_ = 0;
};

/// Reads the lists nearest to the query: trained in seconds, exact enough with codes and rescoring.
template <IvfParams P = IvfParams{}, class Content = IvfPq>
struct Ivf {
    static constexpr std::string_view name = Content::index;  // stored on disk: never rename
    static constexpr bool reads_all = false;
    static constexpr IvfParams params = P;
    static_assert(P.lists <= IvfParams::most_lists, "kith: Ivf: lists must be at most 1048576");
    static_assert(P.subvectors <= IvfParams::most_subvectors, "kith: Ivf: subvectors must be at most 4096");

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept {
        return P.subvectors == 0 || dim % P.subvectors == 0;
    }

    template <class R>
    using Index = IvfIndex<R, Content>;

    /// How many lists are read.
    template <class M>
    static constexpr std::array ladder{1.0F,  2.0F,  4.0F,  8.0F,   12.0F,  16.0F,  24.0F, 32.0F,
                                       48.0F, 64.0F, 96.0F, 128.0F, 192.0F, 256.0F, 512.0F};

    template <class M>
    static void try_as_hard(float effort, SearchParams& search) noexcept {
        search.nprobe = static_cast<std::uint32_t>(effort * beyond_measured(search.limit) + 0.5F);
    }

    template <class R>
    [[nodiscard]] static IvfIndex<R, Content> make(Slot capacity) {
        return IvfIndex<R, Content>(P, capacity);
    }

    template <class R>
    [[nodiscard]] static IndexSpace space(std::size_t dim, Slot count) {
        return IvfIndex<R, Content>::space(P, dim, count);
    }

    /// Throws: Errc::corrupt, Errc::unsupported_version.
    template <class R>
    [[nodiscard]] static IvfIndex<R, Content> map(const ImageBytes& image, Slot count) {
        return IvfIndex<R, Content>::map(image, count);
    }
};

}  // namespace kith::inline v0_single

// kith/quantize.hpp — fewer bytes a vector, and distances from those bytes.

// kith/quantize/float16.hpp — two bytes an element: half precision, or the upper half of a float.
//
// Nothing is learned, the query keeps its floats, and what rounding loses is seldom worth comparing anything again.
//
// Thread safety: a codec is only read; a scorer belongs to one thread.

namespace kith::inline v0_single {

namespace detail {

/// A query of floats against rows of T; `offset` is added to each distance.
template <Element T>
class Float16Scorer {
public:
    Float16Scorer(const Kernels<T>& kernels, const float* query, const T* rows, std::size_t stride, std::size_t dim,
                  float offset) noexcept
        : kernels_(kernels), query_(query), rows_(rows), stride_(stride), dim_(dim), offset_(offset) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        kernels_.slots(query_, rows_, stride_, dim_, slots, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] += offset_;
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        kernels_.block(query_, rows_ + first * stride_, stride_, dim_, count, out);
        for (std::size_t i = 0; i < count; ++i) out[i] += offset_;
    }

    [[gnu::always_inline]] void prefetch(Slot slot) const noexcept {
        prefetch_row(rows_ + slot * stride_, dim_ * sizeof(T));
    }

private:
    Kernels<T> kernels_;
    const float* query_;  // in the scratch of the search
    const T* rows_;
    std::size_t stride_;  // in elements
    std::size_t dim_;
    float offset_;
};

// code = element:16 bits × dim, zeros up to code_bytes(); Cosine: of the vector divided by its length.
template <class M, Element T>
class Float16Codec : ServedMetric<M> {
    static constexpr bool is_cosine = std::same_as<M, Cosine>;
    using ProductMetric = std::conditional_t<is_cosine, InnerProduct, M>;

public:
    /// Codes of this codec in a row.
    class Rows {
    public:
        Rows(const Float16Codec& codec, const std::byte* codes) noexcept
            : codec_(&codec), rows_(reinterpret_cast<const T*>(codes)) {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

        [[nodiscard]] Float16Scorer<T> scorer(const float* query, ScratchMemory& scratch) const {
            auto* const prepared = scratch.take_array<float>(dim());
            codec_->prepare(query, prepared);
            return scorer_for(prepared);
        }

        [[nodiscard]] Float16Scorer<T> scorer_of(Slot slot, ScratchMemory& scratch) const {
            auto* const prepared = scratch.take_array<float>(dim());
            decode_elements(rows_ + slot * stride(), dim(), prepared);
            return scorer_for(prepared);
        }

    private:
        [[nodiscard]] std::size_t stride() const noexcept { return codec_->code_bytes() / sizeof(T); }

        [[nodiscard]] Float16Scorer<T> scorer_for(const float* prepared) const noexcept {
            return {codec_->kernels_, prepared, rows_, stride(), dim(), is_cosine ? 1.0F : 0.0F};
        }

        const Float16Codec* codec_;
        const T* rows_;
    };

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return 1; }

    /// Throws: Errc::invalid_argument, Errc::cancelled.
    [[nodiscard]] static Float16Codec train(MatrixView sample, const Training& training) {
        if (sample.rows == 0) raise(Errc::invalid_argument, "training: there are 0 vectors, expected at least 1");
        check_quantized_dim(sample.dim);
        training.report(1);
        return Float16Codec(sample.dim);
    }

    /// version:u8 = 1. Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static Float16Codec load(ByteReader& reader, std::size_t dim) {
        std::uint8_t found = 0;
        if (!reader.u8(found)) raise(Errc::corrupt, "16-bit floats: no parameters");
        if (found != version) {
            raise(Errc::unsupported_version, "16-bit floats: parameters of version " + std::to_string(found));
        }
        check_quantized_dim(dim);
        return Float16Codec(dim);
    }

    void save(ByteWriter& writer) const { writer.u8(version); }

    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }

    /// Long rows begin on a cache line. Short ones do not where that would cost more memory than it saves time.
    [[nodiscard]] std::size_t code_bytes() const noexcept { return space(dim_).code_bytes; }
    [[nodiscard]] static CodecSpace space(std::size_t dim) noexcept {
        constexpr std::size_t long_row = 256;
        const std::size_t bytes = dim * sizeof(T);
        const std::size_t unit = bytes >= long_row ? 64 : 4;
        return {(bytes + unit - 1) / unit * unit, 1, 0};
    }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        auto* const prepared = scratch.take_array<float>(dim_);
        prepare(vector, prepared);
        std::memset(code, 0, code_bytes());
        encode_elements(prepared, dim_, reinterpret_cast<T*>(code));
    }

    void decode(const std::byte* code, float* out) const noexcept {
        decode_elements(reinterpret_cast<const T*>(code), dim_, out);
    }

    [[nodiscard]] Rows rows(const std::byte* codes) const noexcept { return Rows(*this, codes); }

private:
    static constexpr std::uint8_t version = 1;  // on disk

    explicit Float16Codec(std::size_t dim) : dim_(dim), kernels_(kernels<ProductMetric, T>(best_isa())) {}

    /// The vector as the metric compares it.
    void prepare(const float* vector, float* out) const noexcept {
        const double factor = compared_factor<M>(vector, dim_);
        for (std::size_t i = 0; i < dim_; ++i) out[i] = static_cast<float>(factor * static_cast<double>(vector[i]));
    }

    std::size_t dim_;
    Kernels<T> kernels_;
};

}  // namespace detail

/// Half precision: 11 bits of each element count. Elements beyond ±65504 are taken as that.
struct Fp16 {
    static constexpr std::string_view name = "fp16";  // stored on disk: never rename
    static constexpr float rescore = 1;

    template <class M>
    using Codec = detail::Float16Codec<M, Half>;
};

/// The upper half of a float: 8 bits of each element count, and no element is out of range. A vector longer than
/// longest_vector is shortened to that.
struct Bf16 {
    static constexpr std::string_view name = "bf16";  // stored on disk: never rename
    static constexpr float rescore = 2;

    template <class M>
    using Codec = detail::Float16Codec<M, Bfloat16>;
};

static_assert(Quantizer<Fp16, L2>);
static_assert(Quantizer<Bf16, Cosine>);

}  // namespace kith::inline v0_single

// kith/quantize/opq.hpp — product quantization after the rotation that suits it best.
//
// Pieces of a vector that vary together, or by unlike amounts, waste words. A rotation changes no distance, so one is
// learned that brings vectors nearest to their words. A graph or a scan then reads the codes of Pq; a query costs a
// product with a matrix more, and so does each vector that is encoded.
//
//   codec = rotation (quantize/opq/learned_rotation.hpp), then that of Pq (quantize/pq.hpp)
//
// Thread safety: a codec that is trained is only read.
// Source: Ge, He, Ke & Sun, "Optimized product quantization", IEEE TPAMI 36(4), 2014.

// kith/quantize/opq/learn.hpp — learns the rotation after which product quantization loses least.
//
// A random rotation is improved in turns: words for the rotated vectors, and the rotation that brings vectors nearest
// to their words, which is the polar factor of a matrix of products.
//
// The start is random, not the principal directions dealt to the pieces as in the source's section 4. From those the
// error becomes up to a quarter smaller yet, but what is left of it lies along few directions and in few vectors,
// and it is neighbours that one looks for: with 4 bits, recall@10 was 0.775 for text against 0.840 and 0.849 for
// fashion against 0.911 (benchmarks/quantizers). With 8 bits it was 0.926 against 0.941, and 0.983 against 0.960.
//
// Source: Ge, He, Ke & Sun, "Optimized product quantization", IEEE TPAMI 36(4), 2014, section 3.

// kith/quantize/opq/learned_rotation.hpp — a rotation that was learned, as a matrix for each block of pieces.
//
// A dense matrix for all dimensions would cost dim² for each vector and query. Blocks of at most `widest` dimensions
// bound that; the pieces of a vector are dealt to them in turn, so that data whose first dimensions outweigh the last
// fill all blocks alike.
//
//   saved = pieces:u32 blocks:u32, then each block's matrix, row after row: f32 × width²
//
// Thread safety: only read once it is made.

// kith/quantize/opq/matrix.hpp — products of matrices, by the kernels that k-means has.
//
// Thread safety: what is made is only read.

namespace kith::inline v0_single::detail {

struct Matrix {
    Matrix() noexcept = default;
    Matrix(std::size_t height, std::size_t width) : values(height * width), rows(height), columns(width) {}

    [[nodiscard]] float* row(std::size_t at) noexcept { return values.data() + at * columns; }
    [[nodiscard]] const float* row(std::size_t at) const noexcept { return values.data() + at * columns; }
    [[nodiscard]] MatrixView view() const noexcept { return {values.data(), rows, columns, columns}; }

    std::vector<float> values;  // row after row
    std::size_t rows = 0;
    std::size_t columns = 0;
};

inline Matrix identity_matrix(std::size_t width) {
    Matrix made(width, width);
    for (std::size_t i = 0; i < width; ++i) made.row(i)[i] = 1;
    return made;
}

inline Matrix transposed(MatrixView from) {
    Matrix made(from.dim, from.rows);
    for (std::size_t row = 0; row < from.rows; ++row) {
        for (std::size_t column = 0; column < from.dim; ++column) made.row(column)[row] = from.row(row)[column];
    }
    return made;
}

/// The rows of a matrix as the kernels of products read them.
class Panels {
public:
    explicit Panels(MatrixView rows, Isa isa = best_isa())
        : size_(rows.rows), dim_(rows.dim), products_(product_kernels(isa)), values_(padded() * dim_) {
        for (std::size_t row = 0; row < size_; ++row) {
            for (std::size_t column = 0; column < dim_; ++column) values_[place(row, column)] = rows.row(row)[column];
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] std::size_t padded() const noexcept {
        return (size_ + products_.panel - 1) / products_.panel * products_.panel;
    }
    [[nodiscard]] float at(std::size_t row, std::size_t column) const noexcept { return values_[place(row, column)]; }

    /// Inner products of each of `rows` with every row here. Shape: `out` has room for rows of padded() floats; those
    /// past size() mean nothing.
    void products(MatrixView rows, float* out) const noexcept {
        products_.products(rows.data, rows.stride, rows.rows, values_.data(), padded() / products_.panel, dim_, out,
                           padded());
    }

    /// Adds weights[row] times each row to `out`, which holds dim() elements.
    void add_weighted(const float* weights, float* out) const noexcept {
        for (std::size_t first = 0; first < size_; first += products_.panel) {
            const std::size_t count = std::min(products_.panel, size_ - first);
            for (std::size_t column = 0; column < dim_; ++column) {
                const float* const elements = &values_[place(first, column)];
                float sum = 0;
                for (std::size_t i = 0; i < count; ++i) sum += elements[i] * weights[first + i];
                out[column] += sum;
            }
        }
    }

private:
    [[nodiscard]] std::size_t place(std::size_t row, std::size_t column) const noexcept {
        return (row / products_.panel * dim_ + column) * products_.panel + row % products_.panel;
    }

    std::size_t size_;
    std::size_t dim_;
    ProductKernels products_;
    std::vector<float> values_;  // panel after panel, the last filled up with zeros
};

/// a · bᵀ. Throws: what training.progress throws, Errc::cancelled.
inline Matrix times_transposed(MatrixView a, MatrixView b, const Training& training) {
    KITH_ASSERT(a.dim == b.dim);
    constexpr std::size_t band = 96;  // a multiple of the rows the widest kernel takes at once
    const Panels panels(b);
    Matrix made(a.rows, b.rows);
    share_work(training.threads, (a.rows + band - 1) / band, [&](std::size_t piece, unsigned thread) {
        if (thread == 0) training.report(0);
        const std::size_t first = piece * band;
        const std::size_t count = std::min(band, a.rows - first);
        std::vector<float> products(count * panels.padded());
        panels.products({a.row(first), count, a.dim, a.stride}, products.data());
        for (std::size_t i = 0; i < count; ++i) {
            std::copy_n(&products[i * panels.padded()], b.rows, made.row(first + i));
        }
    });
    return made;
}

/// aᵀ · b, each divided by the number of rows.
/// Throws: as times_transposed.
inline Matrix mean_products(MatrixView a, MatrixView b, const Training& training) {
    KITH_ASSERT(a.rows == b.rows);
    constexpr std::size_t chunk = 1024;  // rows whose panel stays in the near cache
    Matrix made(a.dim, b.dim);
    for (std::size_t first = 0; first < a.rows; first += chunk) {
        const std::size_t count = std::min(chunk, a.rows - first);
        const Matrix left = transposed({a.row(first), count, a.dim, a.stride});
        const Matrix right = transposed({b.row(first), count, b.dim, b.stride});
        const Matrix part = times_transposed(left.view(), right.view(), training);
        for (std::size_t i = 0; i < made.values.size(); ++i) made.values[i] += part.values[i];
    }
    for (float& value : made.values) value /= static_cast<float>(a.rows);
    return made;
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

class LearnedRotation {
public:
    static constexpr std::size_t widest = 1024;  ///< dimensions of a block

    /// Leaves vectors as they are. Requires: pieces divides dim.
    LearnedRotation(std::size_t dim, std::size_t pieces) noexcept : dim_(dim), pieces_(pieces) {}

    /// One more block; they are added in order until there are as many as `blocks`.
    /// Requires: the matrix has the width of its block, at most `widest`.
    void add_block(const Matrix& matrix) { blocks_.emplace_back(matrix.view()); }

    [[nodiscard]] std::size_t dim() const noexcept { return dim_; }
    [[nodiscard]] std::size_t padded_dim() const noexcept { return dim_; }
    [[nodiscard]] std::size_t pieces() const noexcept { return pieces_; }
    [[nodiscard]] const std::vector<Panels>& blocks() const noexcept { return blocks_; }

    /// Dimensions of block `at` of `blocks`.
    [[nodiscard]] std::size_t width(std::size_t at, std::size_t blocks) const noexcept {
        return (pieces_ - at + blocks - 1) / blocks * (dim_ / pieces_);
    }

    /// Copies the dimensions of block `at` of `blocks` together. Shape: `in` holds dim() elements.
    void gather(const float* in, std::size_t at, std::size_t blocks, float* out) const noexcept {
        const std::size_t length = dim_ / pieces_;
        for (std::size_t piece = at; piece < pieces_; piece += blocks) {
            out = std::copy_n(in + piece * length, length, out);
        }
    }

    /// Shape: `in` holds dim() elements, `out` has room for as many; they do not overlap.
    void apply(const float* in, float* out) const noexcept {
        if (blocks_.empty()) std::copy_n(in, dim_, out);
        float gathered[widest], turned[widest + most_padding];
        for (std::size_t at = 0; at < blocks_.size(); ++at) {
            const std::size_t width = blocks_[at].dim();
            gather(in, at, blocks_.size(), gathered);
            blocks_[at].products({gathered, 1, width, width}, turned);
            scatter(turned, at, out);
        }
    }

    /// The rotation back. Shape: `rotated` and `out` hold dim() elements.
    void invert(const float* rotated, float* out) const noexcept {
        if (blocks_.empty()) std::copy_n(rotated, dim_, out);
        float gathered[widest], turned[widest];
        for (std::size_t at = 0; at < blocks_.size(); ++at) {
            gather(rotated, at, blocks_.size(), gathered);
            std::fill_n(turned, blocks_[at].dim(), 0.0F);
            blocks_[at].add_weighted(gathered, turned);
            scatter(turned, at, out);
        }
    }

    void save(ByteWriter& writer) const {
        writer.u32(static_cast<std::uint32_t>(pieces_));
        writer.u32(static_cast<std::uint32_t>(blocks_.size()));
        for (const Panels& block : blocks_) {
            for (std::size_t row = 0; row < block.dim(); ++row) {
                for (std::size_t column = 0; column < block.dim(); ++column) writer.f32(block.at(row, column));
            }
        }
    }

    /// Throws: Errc::corrupt.
    [[nodiscard]] static LearnedRotation load(ByteReader& reader, std::size_t dim) {
        std::uint32_t pieces = 0, blocks = 0;
        const std::size_t at = reader.offset();
        if (!reader.u32(pieces) || !reader.u32(blocks)) {
            raise(Errc::corrupt, "opq codec: ends within the header of its rotation");
        }
        if (pieces == 0 || dim % pieces != 0 || blocks > pieces) refuse_shape(pieces, blocks, at, dim);
        LearnedRotation loaded(dim, pieces);
        if (blocks > 0 && loaded.width(0, blocks) > widest) refuse_shape(pieces, blocks, at, dim);
        for (std::size_t block = 0; block < blocks; ++block) {
            const std::size_t width = loaded.width(block, blocks);
            if (reader.remaining() / sizeof(float) < width * width) {
                raise(Errc::corrupt, "opq codec: ends within block " + std::to_string(block) + " of its rotation");
            }
            Matrix matrix(width, width);
            static_cast<void>(reader.f32s(matrix.values));
            check_rotates(matrix, block);
            loaded.add_block(matrix);
        }
        return loaded;
    }

private:
    static constexpr std::size_t most_padding = 64;  // floats that the widest kernel writes past the last

    [[noreturn]] static void refuse_shape(std::uint32_t pieces, std::uint32_t blocks, std::size_t at, std::size_t dim) {
        raise(Errc::corrupt, "opq codec: " + std::to_string(pieces) + " pieces in " + std::to_string(blocks) +
                                 " blocks at offset " + std::to_string(at) + " are not those of dimension " +
                                 std::to_string(dim));
    }

    /// Rows have length 1, and a vector that is turned there and back is itself, as far as a look at width² numbers
    /// can tell.
    static void check_rotates(const Matrix& matrix, std::size_t block) {
        constexpr double slack = 1e-3;
        const std::size_t width = matrix.columns;
        SplitMix64 random(width);
        std::vector<double> vector(width), back(width);
        for (double& element : vector) element = random.uniform() - 0.5;
        bool is_right = true;
        for (std::size_t row = 0; row < width; ++row) {
            double square = 0, product = 0;
            for (std::size_t column = 0; column < width; ++column) {
                const auto value = static_cast<double>(matrix.row(row)[column]);
                square += value * value;
                product += value * vector[column];
            }
            is_right = is_right && std::abs(square - 1) < slack;  // false for what is not finite
            for (std::size_t column = 0; column < width; ++column) {
                back[column] += product * static_cast<double>(matrix.row(row)[column]);
            }
        }
        for (std::size_t i = 0; i < width; ++i) is_right = is_right && std::abs(back[i] - vector[i]) < slack;
        if (!is_right) {
            raise(Errc::corrupt, "opq codec: block " + std::to_string(block) + " of its rotation is not a rotation");
        }
    }

    void scatter(const float* from, std::size_t at, float* out) const noexcept {
        const std::size_t length = dim_ / pieces_;
        for (std::size_t piece = at; piece < pieces_; piece += blocks_.size(), from += length) {
            std::copy_n(from, length, out + piece * length);
        }
    }

    std::size_t dim_;
    std::size_t pieces_;
    std::vector<Panels> blocks_;  // none: vectors stay as they are
};

}  // namespace kith::inline v0_single::detail

// kith/quantize/opq/polar.hpp — the rotation that is nearest to a matrix.
//
// For A = U·S·Vᵀ that is U·Vᵀ, of all rotations the one with the largest tr(Qᵀ·A). Products of matrices alone find it:
// each step lifts all singular values towards 1 and leaves U and V as they are.
//
// Source: Björck & Bowie, "An iterative algorithm for computing the best estimate of an orthogonal matrix", SIAM J.
// Numer. Anal. 8(2), 1971 (the step); Chen & Chow, "A stable scaling of Newton–Schulz for improving the sign function
// computation of a Hermitian matrix", 2014 (its scale).

namespace kith::inline v0_single::detail {

/// No singular value of `matrix` is larger.
inline double largest_stretch(const Matrix& matrix) {
    std::vector<double> columns(matrix.columns);
    double widest = 0;
    for (std::size_t i = 0; i < matrix.rows; ++i) {
        double sum = 0;
        for (std::size_t j = 0; j < matrix.columns; ++j) {
            const double size = std::abs(static_cast<double>(matrix.row(i)[j]));
            sum += size;
            columns[j] += size;
        }
        widest = std::max(widest, sum);
    }
    return std::sqrt(widest * *std::max_element(columns.begin(), columns.end()));
}

/// `matrix` is square. `least` is about its smallest singular value: a hint that costs steps when it is wrong.
/// None when the matrix is not finite or too near to one that has no nearest rotation.
/// Throws: what training.progress throws, Errc::cancelled.
/// Cost: 4 · width³ floating-point operations a step; some 8 steps, and one more for each factor of 2.5 that the
///       singular values lie apart.
inline std::optional<Matrix> nearest_rotation(Matrix matrix, double least, const Training& training) {
    constexpr unsigned most_steps = 50;
    constexpr double near_enough = 1e-4;  // one more step squares it
    const double bound = largest_stretch(matrix);
    if (!(bound > 0) || !std::isfinite(bound)) return std::nullopt;
    for (float& value : matrix.values) value = static_cast<float>(static_cast<double>(value) / bound);
    double lowest = std::clamp(least / bound, 0.0, 1.0);
    for (unsigned step = 0; step < most_steps; ++step) {
        training.report(0);
        Matrix square = times_transposed(matrix.view(), matrix.view(), training);
        double off = 0;
        for (std::size_t i = 0; i < square.rows; ++i) {
            for (std::size_t j = 0; j < square.columns; ++j) {
                off = std::max(off, std::abs(static_cast<double>(square.row(i)[j]) - (i == j ? 1 : 0)));
            }
        }
        if (!std::isfinite(off)) return std::nullopt;
        const bool last = off < near_enough;
        // The scale that lifts `lowest` to what becomes of 1; more than 1.7 would send 1 itself near to 0.
        const double scale = last ? 1 : std::min(1.7, std::sqrt(3 / (1 + lowest + lowest * lowest)));
        for (std::size_t i = 0; i < square.rows; ++i) {
            for (std::size_t j = 0; j < square.columns; ++j) {
                const double value = static_cast<double>(square.row(i)[j]) * scale * scale;
                square.row(i)[j] = static_cast<float>(((i == j ? 3 : 0) - value) * scale / 2);
            }
        }
        matrix = times_transposed(square.view(), transposed(matrix.view()).view(), training);
        if (last) return matrix;
        lowest = std::min(
            {1.0, scale * lowest * (3 - scale * scale * lowest * lowest) / 2, scale * (3 - scale * scale) / 2});
    }
    return std::nullopt;
}

/// A rotation as good as any other. Throws: as nearest_rotation.
inline Matrix random_rotation(std::size_t width, std::uint64_t seed, const Training& training) {
    SplitMix64 random(seed);
    Matrix noise(width, width);
    for (float& value : noise.values) {  // a sum of three is round enough
        value = static_cast<float>(random.uniform() + random.uniform() + random.uniform() - 1.5);
    }
    return nearest_rotation(std::move(noise), 0.1, training).value_or(identity_matrix(width));
}

}  // namespace kith::inline v0_single::detail

namespace kith::inline v0_single::detail {

/// Learns the rotation of one block. Rows are about their mean, with a mean variance of 1. The last of them are not
/// learned from: by these it is judged what is better, and when to stop.
class OpqRun {
public:
    /// Requires: rows.rows is at least 2 · words.
    OpqRun(const Matrix& rows, std::size_t pieces, std::size_t words, const Training& training)
        : rows_(rows),
          learned_{rows.values.data(), rows.rows - rows.rows / judged_share, rows.columns, rows.columns},
          pieces_(pieces),
          words_(words),
          training_(training) {}

    static constexpr std::size_t judged_share = 8;  ///< one row of so many

    /// Throws: what training.progress throws, Errc::cancelled.
    Matrix run() {
        constexpr unsigned most_steps = 16;
        constexpr double first_share = 0.1;  // of the time
        constexpr double least_gain = 2e-3;  // of the error, as a share of it
        State now = start(training_.part(0, first_share));
        unsigned power = 4;  // a turn is as a rule too small, for it is bound to the words there were
        for (unsigned step = 0; step < most_steps; ++step) {
            const auto done = [&](unsigned steps) { return first_share + (1 - first_share) * steps / most_steps; };
            const Training part = training_.part(done(step), done(step + 1));
            now.books = refitted(now, part);
            const std::optional<Matrix> turn = turn_towards_words(now, part);
            if (!turn) break;
            State next = turned_by(now, *turn, power, part);
            while (next.error > now.error && power > 1) next = turned_by(now, *turn, power /= 2, part);
            if (!(next.error < now.error)) break;
            const double gain = 1 - next.error / now.error;
            now = std::move(next);
            if (gain >= least_gain) continue;
            if (power == 1) break;
            power /= 2;
        }
        return std::move(now.rotation);
    }

private:
    struct State {
        Matrix rotation;
        Codebooks books;
        Matrix turned = {};                      // the rows after the rotation
        std::vector<std::uint8_t> numbers = {};  // of the words of each
        double error = 0;                        // mean squared distance of a judged row from its words
    };

    [[nodiscard]] State start(const Training& training) const {
        constexpr KMeansParams few_steps{.iterations = 4, .rows_a_centroid = 64, .least_gain = 1e-2};
        Matrix rotation = random_rotation(rows_.columns, mix64(training.seed + 5), training.part(0, 0));
        const Matrix turned = times_transposed(learned_, rotation.view(), training.part(0, 0));
        State made{std::move(rotation), Codebooks::train(turned.view(), pieces_, words_, training, few_steps)};
        look(made, training.part(1, 1));
        return made;
    }

    [[nodiscard]] State turned_by(const State& from, const Matrix& turn, unsigned power,
                                  const Training& training) const {
        State made{from.rotation, from.books};
        for (unsigned i = 0; i < power; ++i) {
            made.rotation = times_transposed(turn.view(), transposed(made.rotation.view()).view(), training);
        }
        look(made, training);
        return made;
    }

    /// Turns all rows and finds their words.
    void look(State& state, const Training& training) const {
        constexpr std::size_t band = 256;
        state.turned = times_transposed(rows_.view(), state.rotation.view(), training);
        state.numbers.resize(rows_.rows * pieces_);
        std::vector<double> errors((rows_.rows + band - 1) / band);
        share_work(training.threads, errors.size(), [&](std::size_t piece, unsigned thread) {
            if (thread == 0) training.report(0);
            std::vector<float> decoded(rows_.columns);
            for (std::size_t row = piece * band; row < std::min(rows_.rows, (piece + 1) * band); ++row) {
                std::uint8_t* const numbers = &state.numbers[row * pieces_];
                state.books.encode(state.turned.row(row), numbers);
                if (row < learned_.rows) continue;
                state.books.decode(numbers, decoded.data());
                errors[piece] +=
                    static_cast<double>(L2::distance(state.turned.row(row), decoded.data(), rows_.columns));
            }
        });
        state.error =
            std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(rows_.rows - learned_.rows);
    }

    /// Each word becomes the mean of the pieces it stands for.
    [[nodiscard]] Codebooks refitted(const State& state, const Training& training) const {
        const std::size_t sub_dim = state.books.sub_dim();
        std::vector<float> values = state.books.values();
        share_work(training.threads, pieces_, [&](std::size_t piece, unsigned thread) {
            if (thread == 0) training.report(0);
            std::vector<double> sums(words_ * sub_dim);
            std::vector<std::size_t> counts(words_);
            for (std::size_t row = 0; row < learned_.rows; ++row) {
                const std::size_t word = state.numbers[row * pieces_ + piece];
                const float* const part = state.turned.row(row) + piece * sub_dim;
                ++counts[word];
                for (std::size_t d = 0; d < sub_dim; ++d) sums[word * sub_dim + d] += static_cast<double>(part[d]);
            }
            for (std::size_t i = 0; i < sums.size(); ++i) {
                const std::size_t count = counts[i / sub_dim];
                if (count == 0) continue;
                values[piece * words_ * sub_dim + i] = static_cast<float>(sums[i] / static_cast<double>(count));
            }
        });
        return Codebooks(std::move(values), pieces_, words_);
    }

    /// The rotation that brings turned rows nearest to their words. Where the data have nothing to say it is held to
    /// leave things as they are, by what a little noise along every direction would add.
    [[nodiscard]] std::optional<Matrix> turn_towards_words(const State& state, const Training& training) const {
        constexpr float held = 1e-3F;
        Matrix words(learned_.rows, learned_.dim);
        for (std::size_t row = 0; row < words.rows; ++row) {
            state.books.decode(&state.numbers[row * pieces_], words.row(row));
        }
        Matrix products = mean_products(
            words.view(), {state.turned.values.data(), words.rows, words.columns, words.columns}, training);
        for (std::size_t i = 0; i < products.rows; ++i) products.row(i)[i] += held;
        return nearest_rotation(std::move(products), static_cast<double>(held), training);
    }

    const Matrix& rows_;
    MatrixView learned_;  // the first of them
    std::size_t pieces_;
    std::size_t words_;
    const Training& training_;
};

/// The same rows with one of each OpqRun::judged_share at the end, so that they are from all parts of a sample.
inline std::vector<std::size_t> judged_last(const std::vector<std::size_t>& rows) {
    std::vector<std::size_t> made, judged;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        (i % OpqRun::judged_share == OpqRun::judged_share - 1 ? judged : made).push_back(rows[i]);
    }
    made.insert(made.end(), judged.begin(), judged.end());
    return made;
}

/// The dimensions of one block of some rows, about their mean and with a mean variance of 1; none when they are all
/// equal.
template <class M>
std::optional<Matrix> block_of(MatrixView sample, const std::vector<std::size_t>& chosen,
                               const LearnedRotation& rotation, std::size_t at, std::size_t blocks) {
    Matrix made(chosen.size(), rotation.width(at, blocks));
    std::vector<double> means(made.columns);
    for (std::size_t i = 0; i < made.rows; ++i) {
        const float* const vector = sample.row(chosen[i]);
        const double factor = compared_factor<M>(vector, sample.dim);
        rotation.gather(vector, at, blocks, made.row(i));
        for (std::size_t d = 0; d < made.columns; ++d) {
            made.row(i)[d] = static_cast<float>(static_cast<double>(made.row(i)[d]) * factor);
            means[d] += static_cast<double>(made.row(i)[d]) / static_cast<double>(made.rows);
        }
    }
    double squares = 0;
    for (std::size_t i = 0; i < made.values.size(); ++i) {
        const double left = static_cast<double>(made.values[i]) - means[i % made.columns];
        squares += left * left;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(made.values.size()));
    if (!(deviation > 0)) return std::nullopt;
    for (std::size_t i = 0; i < made.values.size(); ++i) {
        made.values[i] =
            static_cast<float>((static_cast<double>(made.values[i]) - means[i % made.columns]) / deviation);
    }
    return made;
}

/// The rotation after which `pieces` codebooks of `words` words lose least of vectors like those of `sample`, as metric
/// M compares them. No block is wider than a quarter of the rows it is learned from: it would learn their noise. Of
/// fewer rows than two a word nothing is learned, and vectors stay as they are.
/// Throws: what training.progress throws, Errc::cancelled.
/// Cost: with n rows of width w a block, at most 16 steps of 4·n·w² + 100·w³ floating-point operations and of encoding
///       the rows, and memory for five copies of them; with 4 bits 6 seconds on one core for 384 dimensions, 20 for
///       784.
template <class M>
LearnedRotation learn_rotation(MatrixView sample, std::size_t pieces, std::size_t words, const Training& training) {
    constexpr std::size_t rows_a_dimension = 4;
    constexpr std::size_t most_rows = 20480;  // twice as many lessen the error for text by 8 %, at twice the time
    LearnedRotation learned(sample.dim, pieces);
    const std::size_t reach = std::min(LearnedRotation::widest, sample.rows / rows_a_dimension);
    const std::size_t together = reach / (sample.dim / pieces);
    if (together < 2) return learned;  // one piece alone is coded as well however it is turned
    if (sample.rows < 2 * words) return learned;
    const std::size_t blocks = (pieces + together - 1) / together;
    const std::vector<std::size_t> chosen = judged_last(sample_of(sample.rows, most_rows, mix64(training.seed + 3)));
    for (std::size_t at = 0; at < blocks; ++at) {
        const auto share = [&](std::size_t done) { return static_cast<double>(done) / static_cast<double>(blocks); };
        const Training part = training.part(share(at), share(at + 1));
        const std::optional<Matrix> rows = block_of<M>(sample, chosen, learned, at, blocks);
        learned.add_block(rows ? OpqRun(*rows, learned.width(at, blocks) / (sample.dim / pieces), words, part).run()
                               : identity_matrix(learned.width(at, blocks)));
    }
    return learned;
}

}  // namespace kith::inline v0_single::detail

// kith/quantize/pq.hpp — product quantization as a quantizer: 4 or 8 bits for each piece of a vector.
//
// A query is compared with codes through tables of its distances to every word, one look-up a piece. That is the
// codec for graphs and flat scans; inverted lists hold the same codes in another order (distance/fast_scan.hpp).
//
//   code  = the numbers of the words: with 8 bits one byte a piece, with 4 bits two pieces a byte, the first below;
//           zeros up to a multiple of 4 bytes
//   codec = subvectors:u32 bits:u32 words:f32 × subvectors × 2^bits × (dim / subvectors)
//
// Thread safety: a codec that is trained is only read.
// Source: Jégou, Douze & Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33(1), 2011.

namespace kith::inline v0_single {

/// Usable as a template argument, so that a schema can name it.
struct PqParams {
    std::uint32_t subvectors = 0;  ///< pieces of a vector, a divisor of the dimension; 0: half of the dimension
    std::uint32_t bits = 8;        ///< for each piece: 4 or 8

    friend constexpr bool operator==(const PqParams&, const PqParams&) noexcept = default;
};

namespace detail {

/// Looks up codes in the tables of one query.
template <unsigned bits>
class PqScorer {
public:
    /// Shape: `tables` holds 2^bits entries for each piece.
    PqScorer(const float* tables, const std::byte* codes, std::size_t code_bytes, std::size_t subvectors,
             float base) noexcept
        : tables_(tables), codes_(codes), code_bytes_(code_bytes), subvectors_(subvectors), base_(base) {}

    void score(const Slot* slots, std::size_t count, float* out) const noexcept {
        constexpr std::size_t ahead = 8;
        for (std::size_t i = 0; i < std::min(ahead, count); ++i) prefetch(slots[i]);
        for (std::size_t i = 0; i < count; ++i) {
            if (i + ahead < count) prefetch(slots[i + ahead]);
            out[i] = distance(slots[i]);
        }
    }

    void score_block(Slot first, std::size_t count, float* out) const noexcept {
        for (std::size_t i = 0; i < count; ++i) out[i] = distance(first + static_cast<Slot>(i));
    }

    void prefetch(Slot slot) const noexcept {
        for (std::size_t byte = 0; byte < code_bytes_; byte += 64) __builtin_prefetch(code(slot) + byte);
    }

private:
    [[nodiscard]] const std::uint8_t* code(Slot slot) const noexcept {
        return reinterpret_cast<const std::uint8_t*>(codes_ + slot * code_bytes_);
    }

    [[nodiscard]] float distance(Slot slot) const noexcept {
        const std::uint8_t* const from = code(slot);
        const float* tables = tables_;
        float sums[4] = {base_, 0, 0, 0};
        if constexpr (bits == 8) {
            std::size_t m = 0;
            for (; m + 4 <= subvectors_; m += 4, tables += 4 * 256) {
                for (std::size_t lane = 0; lane < 4; ++lane) sums[lane] += tables[lane * 256 + from[m + lane]];
            }
            for (; m < subvectors_; ++m, tables += 256) sums[0] += tables[from[m]];
        } else {
            std::size_t m = 0;
            for (; m + 4 <= subvectors_; m += 4, tables += 4 * 16) {
                const std::uint8_t first = from[m / 2], second = from[m / 2 + 1];
                sums[0] += tables[first & 15];
                sums[1] += tables[16 + (first >> 4)];
                sums[2] += tables[32 + (second & 15)];
                sums[3] += tables[48 + (second >> 4)];
            }
            for (; m < subvectors_; ++m, tables += 16) sums[0] += tables[(from[m / 2] >> (m % 2 * 4)) & 15];
        }
        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }

    const float* tables_;
    const std::byte* codes_;
    std::size_t code_bytes_;
    std::size_t subvectors_;
    float base_;  // what every distance has
};

template <class M, PqParams P>
class PqCodec {
    static_assert(P.bits == 4 || P.bits == 8, "kith: Pq: bits must be 4 or 8");
    static constexpr std::size_t words = std::size_t{1} << P.bits;
    static constexpr bool is_cosine = std::same_as<M, Cosine>;
    static constexpr bool is_l2 = std::same_as<M, L2>;

public:
    class View {
    public:
        View(const PqCodec& codec, const std::byte* codes) noexcept : codec_(&codec), codes_(codes) {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }
        [[nodiscard]] PqScorer<P.bits> scorer(const float* query, ScratchMemory& scratch) const {
            const float scale = is_cosine ? inverse_norm(query, dim()) : 1.0F;
            return codec_->against(query, scale, codes_, scratch);
        }
        [[nodiscard]] PqScorer<P.bits> scorer_of(Slot slot, ScratchMemory& scratch) const {
            return codec_->against_code(slot, codes_, scratch);
        }

    private:
        const PqCodec* codec_;
        const std::byte* codes_;
    };

    /// One row a word at least.
    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return words; }

    /// How many pieces vectors like those of `sample` are cut into.
    /// Throws: Errc::invalid_argument for too few rows, or sub-vectors that do not divide the dimension.
    [[nodiscard]] static std::size_t subvectors_for(MatrixView sample) {
        const std::size_t subvectors = subvectors_of(sample.dim);
        if (sample.rows < words) {
            raise(Errc::invalid_argument, "Pq needs " + std::to_string(words) + " vectors to train with, and got " +
                                              std::to_string(sample.rows));
        }
        return subvectors;
    }

    /// Throws: as subvectors_for; Errc::cancelled and what training.progress throws.
    [[nodiscard]] static PqCodec train(MatrixView sample, const Training& training) {
        const std::size_t subvectors = subvectors_for(sample);
        constexpr std::size_t rows_a_word = 128;
        const std::vector<std::size_t> chosen = sample_of(sample.rows, words * rows_a_word, mix64(training.seed));
        std::vector<float> rows(chosen.size() * sample.dim);
        for (std::size_t i = 0; i < chosen.size(); ++i) {
            const float* const row = sample.row(chosen[i]);
            const float scale = is_cosine ? inverse_norm(row, sample.dim) : 1.0F;
            for (std::size_t d = 0; d < sample.dim; ++d) rows[i * sample.dim + d] = row[d] * scale;
        }
        return PqCodec(
            Codebooks::train({rows.data(), chosen.size(), sample.dim, sample.dim}, subvectors, words, training));
    }

    /// Throws: Errc::corrupt.
    [[nodiscard]] static PqCodec load(ByteReader& reader, std::size_t dim) {
        std::uint32_t subvectors = 0, bits = 0;
        const std::size_t at = reader.offset();
        if (!reader.u32(subvectors) || !reader.u32(bits)) raise(Errc::corrupt, "pq codec: ends within its header");
        if (bits != P.bits || subvectors == 0 || dim % subvectors != 0 ||
            (P.subvectors != 0 && subvectors != P.subvectors)) {
            raise(Errc::corrupt, "pq codec: " + std::to_string(subvectors) + " sub-vectors of " + std::to_string(bits) +
                                     " bits at offset " + std::to_string(at) + " are not those of dimension " +
                                     std::to_string(dim));
        }
        if (reader.remaining() / sizeof(float) / words < dim) {
            raise(Errc::corrupt, "pq codec: ends within its words");
        }
        std::vector<float> values(dim * words);
        static_cast<void>(reader.f32s(values));
        const bool finite = std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
        if (!finite) raise(Errc::corrupt, "pq codec: a word is not finite");
        return PqCodec(Codebooks(std::move(values), subvectors, words));
    }

    void save(ByteWriter& writer) const {
        writer.u32(static_cast<std::uint32_t>(codebooks_.subvectors()));
        writer.u32(P.bits);
        writer.f32s(codebooks_.values());
    }

    [[nodiscard]] std::size_t dim() const noexcept { return codebooks_.dim(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return code_bytes_for(codebooks_.subvectors()); }

    /// Throws: Errc::invalid_argument for a dimension that sub-vectors do not divide.
    [[nodiscard]] static CodecSpace space(std::size_t dim) {
        const std::size_t subvectors = subvectors_of(dim), word_bytes = dim * words * sizeof(float);
        constexpr std::size_t header_bytes = 8;
        return {code_bytes_for(subvectors), header_bytes + word_bytes,
                2 * word_bytes + subvectors * words * sizeof(float)};  // the words twice, and half their squares
    }

    /// Shape: `vector` holds dim() elements, `code` has room for code_bytes().
    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        float* const scaled = scratch.take_array<float>(dim() + codebooks_.subvectors());
        auto* const numbers = reinterpret_cast<std::uint8_t*>(scaled + dim());
        const float scale = is_cosine ? inverse_norm(vector, dim()) : 1.0F;
        std::memset(code, 0, code_bytes());
        if (scale == 0) return;
        for (std::size_t d = 0; d < dim(); ++d) scaled[d] = vector[d] * scale;
        codebooks_.encode(scaled, numbers);
        for (std::size_t m = 0; m < codebooks_.subvectors(); ++m) {
            if constexpr (P.bits == 8) {
                code[m] = static_cast<std::byte>(numbers[m]);
            } else {
                code[m / 2] |= static_cast<std::byte>(numbers[m] << (m % 2 * 4));
            }
        }
    }

    void decode(const std::byte* code, float* out) const noexcept {
        for (std::size_t m = 0; m < codebooks_.subvectors(); ++m) {
            out = std::copy_n(codebooks_.word(m, number(code, m)), codebooks_.sub_dim(), out);
        }
    }

    [[nodiscard]] View rows(const std::byte* codes) const noexcept { return View(*this, codes); }

private:
    explicit PqCodec(Codebooks codebooks) noexcept : codebooks_(std::move(codebooks)) {}

    [[nodiscard]] static std::size_t code_bytes_for(std::size_t subvectors) noexcept {
        return (subvectors * P.bits / 8 + (subvectors * P.bits % 8 != 0) + 3) / 4 * 4;
    }

    [[nodiscard]] static std::size_t subvectors_of(std::size_t dim) {
        if (dim == 0) raise(Errc::invalid_argument, "Pq needs at least one dimension");
        if (P.subvectors == 0) return dim % 2 == 0 ? dim / 2 : dim;
        if (dim % P.subvectors != 0) {
            raise(Errc::invalid_argument, "Pq: " + std::to_string(P.subvectors) +
                                              " sub-vectors do not divide the dimension " + std::to_string(dim));
        }
        return P.subvectors;
    }

    [[nodiscard]] static std::size_t number(const std::byte* code, std::size_t m) noexcept {
        if constexpr (P.bits == 8) return static_cast<std::size_t>(code[m]);
        return (static_cast<std::size_t>(code[m / 2]) >> (m % 2 * 4)) & 15;
    }

    [[nodiscard]] float* tables_in(ScratchMemory& scratch) const {
        return scratch.take_array<float>(codebooks_.subvectors() * words + codebooks_.dim());
    }

    [[nodiscard]] PqScorer<P.bits> against(const float* query, float scale, const std::byte* codes,
                                           ScratchMemory& scratch) const {
        float* const tables = tables_in(scratch);
        float* const vector = tables + codebooks_.subvectors() * words;
        for (std::size_t d = 0; d < dim(); ++d) vector[d] = query[d] * scale;
        fill(vector, tables);
        return PqScorer<P.bits>(tables, codes, code_bytes(), codebooks_.subvectors(), is_cosine ? 1.0F : 0.0F);
    }

    [[nodiscard]] PqScorer<P.bits> against_code(Slot slot, const std::byte* codes, ScratchMemory& scratch) const {
        float* const tables = tables_in(scratch);
        float* const vector = tables + codebooks_.subvectors() * words;
        decode(codes + slot * code_bytes(), vector);
        fill(vector, tables);
        return PqScorer<P.bits>(tables, codes, code_bytes(), codebooks_.subvectors(), is_cosine ? 1.0F : 0.0F);
    }

    /// What each piece adds to the distance, for each of its words. The same both ways round to the last bit: of L2
    /// the differences are summed themselves, and products are multiplied in one order.
    void fill(const float* vector, float* tables) const noexcept {
        if constexpr (!is_l2) {
            codebooks_.products(vector, tables);
            const std::size_t entries = codebooks_.subvectors() * words;
            for (std::size_t i = 0; i < entries; ++i) tables[i] = -tables[i];
        } else {
            const std::size_t sub_dim = codebooks_.sub_dim();
            for (std::size_t m = 0; m < codebooks_.subvectors(); ++m, vector += sub_dim) {
                for (std::size_t k = 0; k < words; ++k) {
                    const float* const word = codebooks_.word(m, k);
                    float sum = 0;
                    for (std::size_t d = 0; d < sub_dim; ++d) sum += L2::term(vector[d], word[d]);
                    *tables++ = sum;
                }
            }
        }
    }

    Codebooks codebooks_;
};

}  // namespace detail

/// A few bits for each piece of a vector: 8 bits a piece of two dimensions keep most of the order, at an eighth of the
/// bytes.
template <PqParams P = PqParams{}>
struct Pq {
    static constexpr std::string_view name = P.bits == 4 ? "pq4" : "pq8";  // stored on disk: never rename
    static constexpr float rescore = P.bits == 4 ? 10 : 4;
    static constexpr PqParams params = P;

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept {
        return P.subvectors == 0 || dim % P.subvectors == 0;
    }

    template <class M>
    using Codec = detail::PqCodec<M, P>;
};

static_assert(Quantizer<Pq<>, L2>);
static_assert(Quantizer<Pq<PqParams{.subvectors = 4, .bits = 4}>, Cosine>);

}  // namespace kith::inline v0_single

// kith/quantize/rotated.hpp — any quantizer behind a rotation.
//
// A rotation spreads what a few elements say over all of them, so that steps or codebooks fit each part of a vector
// alike. It changes no distance, so the codec inside need not know.
//
// Thread safety: a trained codec is only read; a scorer belongs to one thread.

namespace kith::inline v0_single {

namespace detail {

/// The elements of a vector that was turned, and what the rotation takes in a file and in memory, at most.
struct RotationSpace {
    std::size_t padded_dim = 0;
    std::size_t saved_bytes = 0;
    std::size_t held_bytes = 0;
};

/// What turns vectors before a codec sees them: it keeps their lengths and products, and is saved beside the codec.
/// Shape:  apply writes padded_dim() elements and invert reads, and may overwrite, as many.
/// Units:  `share` is how much of the time of training its own takes.
/// Throws: train: as Codec says. load: Errc::corrupt.
template <class R>
concept CodecRotation = requires(const R& rotation, const float* in, float* out, MatrixView sample,
                                 const Training& training, ByteWriter& writer, ByteReader& reader, std::size_t dim) {
    { R::share } -> std::convertible_to<double>;
    { R::train(sample, training) } -> std::same_as<R>;
    { R::load(reader, dim) } -> std::same_as<R>;
    { R::space(dim) } -> std::same_as<RotationSpace>;
    { rotation.save(writer) } -> std::same_as<void>;
    { rotation.dim() } noexcept -> std::same_as<std::size_t>;
    { rotation.padded_dim() } noexcept -> std::same_as<std::size_t>;
    { rotation.apply(in, out) } noexcept -> std::same_as<void>;
    { rotation.invert(out, out) } noexcept -> std::same_as<void>;
};

/// The random rotation of a seed, which is all that is saved of it: seed:u64.
class SeededRotation : public Rotation {
public:
    static constexpr double share = 0;

    [[nodiscard]] static SeededRotation train(MatrixView sample, const Training& training) {
        return SeededRotation(sample.dim, training.seed);
    }
    [[nodiscard]] static SeededRotation load(ByteReader& reader, std::size_t dim) {
        std::uint64_t seed = 0;
        if (!reader.u64(seed)) raise(Errc::corrupt, "rotated codec: the seed ends early");
        return SeededRotation(dim, seed);
    }
    void save(ByteWriter& writer) const { writer.u64(seed_); }
    [[nodiscard]] static RotationSpace space(std::size_t dim) noexcept {
        return {padded_dim(dim), sizeof(std::uint64_t), held_bytes(dim)};
    }

private:
    SeededRotation(std::size_t dim, std::uint64_t seed) : Rotation(dim, seed), seed_(seed) {}

    std::uint64_t seed_;  // of the rotation
};

/// Codec C over vectors that R has turned.
template <class C, CodecRotation R>
class RotatedCodec {
public:
    /// Codes of this codec in a row.
    class Rows {
    public:
        Rows(const RotatedCodec& codec, const std::byte* codes) noexcept
            : codec_(&codec), inner_(codec.inner_.rows(codes)) {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

        [[nodiscard]] auto scorer(const float* query, ScratchMemory& scratch) const {
            return inner_.scorer(codec_->rotated(query, scratch), scratch.nested());
        }
        [[nodiscard]] auto scorer_of(Slot slot, ScratchMemory& scratch) const {
            return inner_.scorer_of(slot, scratch);
        }

    private:
        const RotatedCodec* codec_;
        decltype(std::declval<const C&>().rows(nullptr)) inner_;
    };

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t dim) noexcept { return C::fewest_vectors(dim); }

    /// Throws: as R::train and C::train do. Cost: besides those, a rotated copy of the sample.
    [[nodiscard]] static RotatedCodec train(MatrixView sample, const Training& training) {
        if (sample.dim == 0) raise(Errc::invalid_argument, "training: vectors have 0 elements, expected at least 1");
        R rotation = R::train(sample, training.part(0, R::share));
        const std::size_t width = rotation.padded_dim();
        const std::vector<float> copy = rotated_copy(rotation, sample, training);
        return RotatedCodec(std::move(rotation),
                            C::train({copy.data(), sample.rows, width, width}, training.part(R::share, 1)));
    }

    /// What R saved, then what C saved. Throws: what R::load and C::load throw.
    [[nodiscard]] static RotatedCodec load(ByteReader& reader, std::size_t dim) {
        R rotation = R::load(reader, dim);
        C inner = C::load(reader, rotation.padded_dim());
        return RotatedCodec(std::move(rotation), std::move(inner));
    }

    void save(ByteWriter& writer) const {
        rotation_.save(writer);
        inner_.save(writer);
    }

    [[nodiscard]] std::size_t dim() const noexcept { return rotation_.dim(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return inner_.code_bytes(); }
    [[nodiscard]] static CodecSpace space(std::size_t dim) {
        const RotationSpace rotation = R::space(dim);
        CodecSpace both = C::space(rotation.padded_dim);
        both.saved_bytes += rotation.saved_bytes;
        both.held_bytes += rotation.held_bytes;
        return both;
    }
    [[nodiscard]] const R& rotation() const noexcept { return rotation_; }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        inner_.encode(rotated(vector, scratch), code, scratch.nested());
    }

    void decode(const std::byte* code, float* out) const noexcept {
        std::vector<float> turned(rotation_.padded_dim());
        inner_.decode(code, turned.data());
        rotation_.invert(turned.data(), out);
    }

    [[nodiscard]] Rows rows(const std::byte* codes) const noexcept { return Rows(*this, codes); }

private:
    RotatedCodec(R rotation, C inner) : rotation_(std::move(rotation)), inner_(std::move(inner)) {}

    [[nodiscard]] static std::vector<float> rotated_copy(const R& rotation, MatrixView sample,
                                                         const Training& training) {
        constexpr std::size_t band = 256;
        const std::size_t width = rotation.padded_dim();
        std::vector<float> copy(sample.rows * width);
        share_work(training.threads, (sample.rows + band - 1) / band, [&](std::size_t piece, unsigned thread) {
            if (thread == 0) training.report(R::share);
            std::vector<float> shortened(sample.dim);
            for (std::size_t row = piece * band; row < std::min(sample.rows, (piece + 1) * band); ++row) {
                rotation.apply(within_reach(sample.row(row), sample.dim, shortened.data()), &copy[row * width]);
            }
        });
        return copy;
    }

    [[nodiscard]] const float* rotated(const float* vector, ScratchMemory& scratch) const {
        auto* const turned = scratch.take_array<float>(rotation_.padded_dim() + dim());
        auto* const shortened = turned + rotation_.padded_dim();
        rotation_.apply(within_reach(vector, dim(), shortened), turned);
        return turned;
    }

    R rotation_;
    C inner_;
};

/// The two names one behind the other; `size` is that of both.
template <std::size_t size>
consteval std::array<char, size> joined(std::string_view first, std::string_view second) {
    std::array<char, size> both{};
    for (std::size_t i = 0; i < size; ++i) both[i] = i < first.size() ? first[i] : second[i - first.size()];
    return both;
}

template <class Q>
struct RotatedName {
    static constexpr std::string_view prefix = "rotated_";  // on disk: never change
    static constexpr auto text = joined<prefix.size() + std::string_view(Q::name).size()>(prefix, Q::name);
};

}  // namespace detail

/// Quantizer Q over vectors that are rotated at random first: better codes where a few dimensions outweigh the others,
/// for some microseconds a query.
template <class Q>
struct Rotated {
    static constexpr std::string_view name{detail::RotatedName<Q>::text.data(), detail::RotatedName<Q>::text.size()};
    static constexpr float rescore = Q::rescore;

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept {
        return fits_dimension<Q>(Rotation::padded_dim(dim));
    }

    template <class M>
    using Codec = detail::RotatedCodec<typename Q::template Codec<M>, detail::SeededRotation>;
};

}  // namespace kith::inline v0_single

namespace kith::inline v0_single {

namespace detail {

/// The rotation learned for the codes of Pq<P> under metric M.
template <class M, PqParams P>
class OpqRotation : public LearnedRotation {
public:
    static constexpr double share = 0.8;

    /// Throws: Errc::invalid_argument as PqCodec::subvectors_for; Errc::cancelled and what training.progress throws.
    [[nodiscard]] static OpqRotation train(MatrixView sample, const Training& training) {
        const std::size_t pieces = PqCodec<M, P>::subvectors_for(sample);
        return OpqRotation(learn_rotation<M>(sample, pieces, std::size_t{1} << P.bits, training));
    }

    /// Throws: Errc::corrupt.
    [[nodiscard]] static OpqRotation load(ByteReader& reader, std::size_t dim) {
        LearnedRotation loaded = LearnedRotation::load(reader, dim);
        if (P.subvectors != 0 && loaded.pieces() != P.subvectors) {
            raise(Errc::corrupt, "opq codec: a rotation for " + std::to_string(loaded.pieces()) + " sub-vectors, not " +
                                     std::to_string(P.subvectors));
        }
        return OpqRotation(std::move(loaded));
    }

    /// That of one block where vectors are no longer than that may be wide, else of blocks as wide as may be.
    [[nodiscard]] static RotationSpace space(std::size_t dim) noexcept {
        constexpr std::size_t header_bytes = 8;
        const std::size_t blocks = (dim + widest - 1) / widest;
        const std::size_t width = (dim + blocks - 1) / blocks;
        const std::size_t bytes = blocks * width * width * sizeof(float);
        return {dim, header_bytes + bytes, bytes};
    }

private:
    explicit OpqRotation(LearnedRotation learned) noexcept : LearnedRotation(std::move(learned)) {}
};

}  // namespace detail

/// Pq<P> behind a rotation that is learned with it.
template <PqParams P = PqParams{}>
struct Opq {
    static constexpr std::string_view name = P.bits == 4 ? "opq4" : "opq8";  // stored on disk: never rename
    static constexpr float rescore = Pq<P>::rescore;
    static constexpr PqParams params = P;

    [[nodiscard]] static constexpr bool fits(std::size_t dim) noexcept { return Pq<P>::fits(dim); }

    template <class M>
    using Codec = detail::RotatedCodec<detail::PqCodec<M, P>, detail::OpqRotation<M, P>>;
};

static_assert(Quantizer<Opq<>, L2>);
static_assert(Quantizer<Opq<PqParams{.subvectors = 4, .bits = 4}>, Cosine>);

}  // namespace kith::inline v0_single

// kith/quantize/uniform.hpp — 4 or 8 bits an element, in steps that are the same for all vectors.
//
// One step for all leaves a code four bytes besides its elements. It is learned: of the ranges that hold a certain
// share of the sample's elements, about their mean, the one whose steps err least is taken, and what lies outside is
// clipped. It suits vectors whose elements are alike, such as rotated ones; others are better off with Sq8 or Sq4.
//
// Thread safety: a trained codec is only read; a scorer belongs to one thread.

namespace kith::inline v0_single {

namespace detail {

/// Steps of one size about zero, from −2^(bits − 1) to 2^(bits − 1) − 1 of them.
template <unsigned bits>
struct UniformSteps {
    static constexpr int zero = 1 << (bits - 1);

    [[nodiscard]] static int nearest(float value, float inverse) noexcept {
        const float steps = std::clamp(value * inverse, static_cast<float>(-zero), static_cast<float>(zero - 1));
        return static_cast<int>(steps + (steps < 0 ? -0.5F : 0.5F));
    }

    /// The step that errs least over `values`, absolute ones in rising order; 0 when all are zero.
    [[nodiscard]] static float learn(const std::vector<float>& values) noexcept {
        constexpr double shares[] = {0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 1.0};
        float best = 0;
        double least = std::numeric_limits<double>::infinity();
        for (const double share : shares) {
            const double place = std::ceil(share * static_cast<double>(values.size())) - 1;
            const float step = values[static_cast<std::size_t>(std::max(place, 0.0))] / static_cast<float>(zero - 1);
            if (!(step > smallest_step)) continue;
            double error = 0;
            for (const float value : values) {
                const double lost = static_cast<double>(value) - static_cast<double>(step) * nearest(value, 1 / step);
                error += lost * lost;
            }
            if (error < least) {
                least = error;
                best = step;
            }
        }
        return best;
    }

    static constexpr float smallest_step = 1e-30F;  // the inverse of a smaller one may leave the range of a float
};

/// The distance of a code from a query of bytes, or from another code. Head: bias:f32.
struct UniformFormula {
    float bias;
    float factor;  // weight · step · what a byte of the query stands for
    std::int32_t offset;

    [[nodiscard]] float distance(const std::byte* code, std::int32_t dot) const noexcept {
        const std::int64_t product = std::int64_t{dot} - offset;
        return (bias + load_f32(code)) - factor * static_cast<float>(product);
    }
};

// code = bias:f32 fields
//
// Element i of the centred vector is about step · (cᵢ − 2^(bits − 1)).
template <class M, unsigned bits>
class UniformCodec {
    using Steps = UniformSteps<bits>;

public:
    /// Codes of this codec in a row.
    class Rows {
    public:
        Rows(const UniformCodec& codec, const std::byte* codes) noexcept
            : codec_(&codec), packed_{codec.dots_, codec.shape(), codes} {}

        [[nodiscard]] std::size_t dim() const noexcept { return codec_->dim(); }

        [[nodiscard]] PackedScorer<UniformFormula> scorer(const float* query, ScratchMemory& scratch) const {
            return codec_->query_scorer(packed_, query, scratch);
        }
        [[nodiscard]] PackedScorer<UniformFormula> scorer_of(Slot slot, ScratchMemory& scratch) const {
            return codec_->pair_scorer(packed_, slot, scratch);
        }

    private:
        const UniformCodec* codec_;
        PackedRows packed_;
    };

    [[nodiscard]] static std::size_t fewest_vectors(std::size_t) noexcept { return 16; }

    /// Learns the mean and the step. Throws: Errc::invalid_argument, Errc::cancelled.
    [[nodiscard]] static UniformCodec train(MatrixView sample, const Training& training) {
        if (sample.rows < fewest_vectors(sample.dim)) {
            raise(Errc::invalid_argument, "uniform codec: there are " + std::to_string(sample.rows) +
                                              " vectors to train with, expected at least " +
                                              std::to_string(fewest_vectors(sample.dim)));
        }
        Centring<M> centring = Centring<M>::train(sample, training);
        // Some rows, evenly spread, are enough to know how the elements lie.
        constexpr std::size_t most_elements = std::size_t{1} << 18;
        const std::size_t rows = std::min(sample.rows, std::max<std::size_t>(most_elements / sample.dim, 16));
        std::vector<float> elements(rows * sample.dim);
        for (std::size_t row = 0; row < rows; ++row) {
            centring.centre(sample.row(row * sample.rows / rows), &elements[row * sample.dim]);
        }
        for (float& element : elements) element = std::abs(element);
        std::sort(elements.begin(), elements.end());
        return UniformCodec(std::move(centring), Steps::learn(elements));
    }

    /// version:u8 = 1, step:f32, centring. Throws: Errc::corrupt, Errc::unsupported_version.
    [[nodiscard]] static UniformCodec load(ByteReader& reader, std::size_t dim) {
        std::uint8_t found = 0;
        float step = 0;
        if (!reader.u8(found)) raise(Errc::corrupt, "uniform codec: no parameters");
        if (found != version) {
            raise(Errc::unsupported_version, "uniform codec: parameters of version " + std::to_string(found));
        }
        const bool whole = reader.f32(step);
        if (!whole || !(step == 0 || (step > Steps::smallest_step && step <= static_cast<float>(longest_vector)))) {
            raise(Errc::corrupt, "uniform codec: the step is no step");
        }
        return UniformCodec(Centring<M>::load(reader, dim), step);
    }

    void save(ByteWriter& writer) const {
        writer.u8(version);
        writer.f32(step_);
        centring_.save(writer);
    }

    [[nodiscard]] std::size_t dim() const noexcept { return centring_.dim(); }
    [[nodiscard]] std::size_t code_bytes() const noexcept { return packed_stride(head_bytes, bits, dim()); }
    [[nodiscard]] static CodecSpace space(std::size_t dim) noexcept {
        return {packed_stride(head_bytes, bits, dim), 1 + (1 + dim) * sizeof(float), dim * sizeof(float)};
    }

    void encode(const float* vector, std::byte* code, ScratchMemory& scratch) const {
        auto* const u = scratch.take_array<float>(2 * dim());
        auto* const elements = reinterpret_cast<std::uint8_t*>(u + dim());
        const float from_centre = centring_.centre(vector, u);
        const float inverse = step_ > 0 ? 1 / step_ : 0;
        double decoded_squares = 0;
        for (std::size_t i = 0; i < dim(); ++i) {
            const int steps = Steps::nearest(u[i], inverse);
            elements[i] = static_cast<std::uint8_t>(steps + Steps::zero);
            decoded_squares += static_cast<double>(steps) * steps;
        }
        decoded_squares *= static_cast<double>(step_) * static_cast<double>(step_);
        store_f32(code, Centring<M>::bias(from_centre, decoded_squares));
        pack(bits, elements, dim(), code + head_bytes, code + code_bytes());
    }

    void decode(const std::byte* code, float* out) const {
        std::vector<std::uint8_t> elements(dim());
        unpack(bits, code + head_bytes, dim(), elements.data());
        for (std::size_t i = 0; i < dim(); ++i) out[i] = step_ * static_cast<float>(elements[i] - Steps::zero);
        centring_.restore(out, out);
    }

    [[nodiscard]] Rows rows(const std::byte* codes) const noexcept { return Rows(*this, codes); }

private:
    static constexpr std::uint8_t version = 1;  // on disk
    static constexpr std::size_t head_bytes = 4;
    static constexpr float weight = Centring<M>::weight;

    UniformCodec(Centring<M> centring, float step)
        : centring_(std::move(centring)), step_(step), dots_(packed_dots(bits, best_isa())) {}

    [[nodiscard]] PackedShape shape() const noexcept { return {dim(), head_bytes, code_bytes()}; }

    [[nodiscard]] PackedScorer<UniformFormula> query_scorer(const PackedRows& rows, const float* query,
                                                            ScratchMemory& scratch) const {
        const PackedQuery prepared(bits, dim(), 0, scratch);
        const float from_centre = centring_.centre(query, prepared.u);
        const ByteVector bytes = prepared.from_floats();
        return {rows, prepared.query,
                UniformFormula{.bias = Centring<M>::bias(from_centre, squares(prepared.u, dim())),
                               .factor = weight * step_ * bytes.step,
                               .offset = Steps::zero * bytes.sum}};
    }

    [[nodiscard]] PackedScorer<UniformFormula> pair_scorer(const PackedRows& rows, Slot slot,
                                                           ScratchMemory& scratch) const {
        const PackedQuery prepared(bits, dim(), 0, scratch);
        const std::int32_t sum =
            prepared.from_code(rows.fields(slot), [](std::uint8_t element) { return element - Steps::zero; });
        return {
            rows, prepared.query,
            UniformFormula{
                .bias = load_f32(rows.code(slot)), .factor = weight * (step_ * step_), .offset = Steps::zero * sum}};
    }

    Centring<M> centring_;
    float step_;  // 0 when all vectors of the sample were the same
    PackedDots dots_;
};

}  // namespace detail

/// `bits` bits an element in steps that all vectors share: the fewest bytes besides the elements.
template <unsigned bits>
struct SqUniform {
    static_assert(bits == 4 || bits == 8, "kith: SqUniform: an element has 4 or 8 bits");

    static constexpr std::string_view name = bits == 4 ? "uniform4" : "uniform8";  // stored on disk: never rename
    static constexpr float rescore = bits == 4 ? 4 : 2;

    template <class M>
    using Codec = detail::UniformCodec<M, bits>;
};

static_assert(Quantizer<SqUniform<4>, L2>);
static_assert(Quantizer<SqUniform<8>, Cosine>);

}  // namespace kith::inline v0_single

// kith/query.hpp — which records are asked for.

// kith/schema.hpp — what a record is, known while compiling.

// kith/version.hpp — the version of the library, written once and read by CMake.

#define KITH_VERSION_MAJOR 0
#define KITH_VERSION_MINOR 1
#define KITH_VERSION_PATCH 0

namespace kith::inline v0_single {

/// The version of the headers a program was compiled with, as text.
inline constexpr const char* version = "0.1.0";

}  // namespace kith::inline v0_single
