# A line between two network namespaces: what one end's TUN device sends leaves the other's after a delay, or not at all. It plays for
# TCP and UDP alike, below the kernel's own stack. Each line of standard input sets it anew: DELAY_MS JITTER_MS LOSS BYTES_PER_SECOND.
use strict;
use warnings;
use Fcntl;

my ($name, $seed, @namespaces) = @ARGV;
my ($setns, $clock) = (`uname -m` =~ /^aarch64/) ? (268, 113) : (308, 228);
use constant { TUNSETIFF => 0x400454ca, IFF_TUN_NO_PI => 0x1001, CLONE_NEWNET => 0x40000000, CLOCK_MONOTONIC => 1 };
use constant { MOST_BYTES => 65_536, MOST_QUEUED_S => 0.5 };

sub now {
  my $time = pack "q2", 0, 0;
  syscall($clock, CLOCK_MONOTONIC, $time) == 0 or die "clock_gettime: $!";
  my ($seconds, $nanoseconds) = unpack "q2", $time;
  return $seconds + $nanoseconds / 1e9;
}

sub open_tun {
  my ($path) = @_;
  open(my $namespace, "<", $path) or die "$path: $!";
  syscall($setns, fileno($namespace), CLONE_NEWNET) == 0 or die "setns: $!";
  sysopen(my $tun, "/dev/net/tun", O_RDWR | O_NONBLOCK) or die "/dev/net/tun: $!";
  my $request = pack "a16 s x22", $name, IFF_TUN_NO_PI;
  ioctl($tun, TUNSETIFF, $request) or die "TUNSETIFF: $!";
  return $tun;
}

srand($seed);
my @tuns = map { open_tun($_) } @namespaces;
my ($delay, $jitter, $loss, $rate) = (0, 0, 0, 0);
# To each end: packets with the time at which they are due, in their order; when the line is free again.
my @queues = ([], []);
my @free_at = (0, 0);
$| = 1;
print "ready\n";

for (;;) {
  my $reading = "";
  vec($reading, fileno($_), 1) = 1 for @tuns, *STDIN;
  my $next;
  for my $queue (@queues) {
    $next = $queue->[0][0] if @$queue && (!defined $next || $queue->[0][0] < $next);
  }
  my $wait = defined $next ? $next - now() : undef;
  $wait = 0 if defined $wait && $wait < 0;
  select($reading, undef, undef, $wait);
  if (vec($reading, fileno(STDIN), 1)) {
    my $count = sysread(STDIN, my $line, 200);
    exit 0 unless $count;
    ($delay, $jitter, $loss, $rate) = split " ", (split /\n/, $line)[-1];
    print "set\n";
  }
  my $now = now();
  for my $end (0, 1) {
    my $queue = $queues[1 - $end];
    while (vec($reading, fileno($tuns[$end]), 1) && sysread($tuns[$end], my $packet, MOST_BYTES)) {
      next if rand() < $loss;
      my $sent = $now;
      if ($rate) {
        $sent = $free_at[$end] > $now ? $free_at[$end] : $now;
        next if $sent - $now > MOST_QUEUED_S;
        $sent = $free_at[$end] = $sent + length($packet) / $rate;
      }
      my $due = $sent + ($delay + rand() * $jitter) / 1000;
      $due = $queue->[-1][0] if @$queue && $queue->[-1][0] > $due;
      push @$queue, [$due, $packet];
    }
  }
  $now = now();
  for my $end (0, 1) {
    my $queue = $queues[$end];
    syswrite($tuns[$end], (shift @$queue)->[1]) while @$queue && $queue->[0][0] <= $now;
  }
}
